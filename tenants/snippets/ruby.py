"""Ruby with Rack or Rails."""

from tenants.snippets.values import Platform, Step

RUBY = Platform(
    "ruby",
    "Ruby",
    (
        Step(
            "Install the SDK",
            "shell",
            "bundle add sentry-ruby",
            note="With Rails also: bundle add sentry-rails",
        ),
        Step(
            "Set it up in a file of its own",
            "ruby",
            """
require "sentry-ruby"

Sentry.init do |config|
  config.dsn = <<DSN>>
  config.release = ENV.fetch("SENTRY_RELEASE", <<RELEASE>>)
  config.environment = ENV.fetch("SENTRY_ENVIRONMENT", <<ENVIRONMENT>>)
  config.traces_sample_rate = 0.1
end
""",
            "monitoring.rb",
            "With Rails it is config/initializers/sentry.rb, without the first line.",
        ),
        Step(
            "Rack: report what is raised, and name the tenant of each request",
            "ruby",
            """
require_relative "monitoring"

# Here the tenant is the request's host.
class NameTenant
  def initialize(app)
    @app = app
  end

  def call(env)
    Sentry.set_tags({ <<TAG>> => Rack::Request.new(env).host })
    @app.call(env)
  end
end

use Sentry::Rack::CaptureExceptions
use NameTenant

run ->(env) { raise "First error" }
""",
            "config.ru",
            "The last line stands for your app, and sends the first error.",
        ),
        Step(
            "Rails: name the tenant of each request",
            "ruby",
            """
class ApplicationController < ActionController::Base
  before_action { Sentry.set_tags({ <<TAG>> => request.host }) }
end
""",
            "app/controllers/application_controller.rb",
            "Exceptions are reported by themselves.",
        ),
        Step(
            "Or send the first error from a script",
            "ruby",
            """
require_relative "monitoring"

Sentry.set_tags({ <<TAG>> => "acme.example" })
Sentry.capture_exception(RuntimeError.new("First error"))
""",
            "first_error.rb",
        ),
    ),
)
