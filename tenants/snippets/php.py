"""PHP as it is, and Laravel."""

from tenants.snippets.values import Platform, Step

PHP = Platform(
    "php",
    "PHP",
    (
        Step("Install the SDK", "shell", "composer require sentry/sentry"),
        Step(
            "Require this before anything else",
            "php",
            """
<?php

require_once __DIR__ . '/vendor/autoload.php';

\\Sentry\\init([
    'dsn' => <<DSN>>,
    'release' => getenv('SENTRY_RELEASE') ?: <<RELEASE>>,
    'environment' => getenv('SENTRY_ENVIRONMENT') ?: <<ENVIRONMENT>>,
]);

// Name the tenant of the request: here, its host.
\\Sentry\\configureScope(function (\\Sentry\\State\\Scope $scope): void {
    $host = $_SERVER['HTTP_HOST'] ?? 'acme.example';
    $scope->setTag(<<TAG>>, explode(':', $host)[0]);
});
""",
            "monitoring.php",
            "php-fpm hides the environment's variables unless its clear_env is no. "
            "For Laravel, follow the last three steps instead.",
        ),
        Step(
            "Send the first error",
            "shell",
            'php -r \'require "monitoring.php"; '
            'throw new RuntimeException("First error");\'',
        ),
        Step(
            "Laravel: install its SDK and name the DSN",
            "shell",
            "composer require sentry/sentry-laravel\n"
            "php artisan sentry:publish --dsn=<<DSN>>",
            note="Set SENTRY_RELEASE and SENTRY_ENVIRONMENT in .env as well.",
        ),
        Step(
            "Laravel: name the tenant of each request",
            "php",
            """
<?php

namespace App\\Http\\Middleware;

use Closure;
use Illuminate\\Http\\Request;
use Sentry\\State\\Scope;

class NameTenant
{
    public function handle(Request $request, Closure $next)
    {
        \\Sentry\\configureScope(function (Scope $scope) use ($request): void {
            $scope->setTag(<<TAG>>, $request->getHost());
        });

        return $next($request);
    }
}
""",
            "app/Http/Middleware/NameTenant.php",
        ),
        Step(
            "Laravel: switch both on, each in its function",
            "php",
            """
// in withMiddleware:
$middleware->append(\\App\\Http\\Middleware\\NameTenant::class);
// in withExceptions:
\\Sentry\\Laravel\\Integration::handles($exceptions);
""",
            "bootstrap/app.php",
            "Then send the first error with: php artisan sentry:test",
        ),
    ),
)
