import django.core.validators
import django.db.models.deletion
import django.db.models.functions.datetime
import issues.models.alert_rule
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('issues', '0013_feedback'),
        ('tenants', '0012_keep_attachments'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Alert',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('cause', models.CharField(max_length=200)),
                ('about', models.CharField(max_length=200)),
                ('at', models.DateTimeField()),
                ('title', models.CharField(max_length=300)),
                ('text', models.TextField(blank=True)),
                ('url', models.CharField(blank=True, max_length=500)),
                ('incident_cause', models.CharField(blank=True, max_length=200)),
                ('data', models.JSONField(default=dict)),
                ('state', models.CharField(choices=[('pending', 'waits'), ('held', 'waits for the end of quiet hours'), ('told', 'Told'), ('folded', 'told together with others'), ('suppressed', 'not told again')], default='pending', max_length=10)),
                ('message', models.CharField(blank=True, max_length=100)),
                ('told_at', models.DateTimeField(null=True)),
            ],
            options={
                'ordering': ['-id'],
            },
        ),
        migrations.CreateModel(
            name='AlertRule',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=100, unique=True)),
                ('is_active', models.BooleanField(default=True)),
                ('when', models.CharField(choices=[('new_issue', 'an issue is new'), ('regression', 'a resolved issue comes back'), ('impact', 'the impact of an issue is at least'), ('tenants', 'an issue hits at least so many tenants'), ('hit_list', 'an entry of the hit list outlives its time'), ('events', 'events of an environment are at least'), ('unusual', 'events are so much above the usual'), ('crash_free', 'crash-free sessions fall below'), ('verdict', 'a deploy is degraded or inconclusive'), ('rollback', 'a rollback ends, or its outcome is unknown'), ('monitor', 'a monitored job is missed, late or fails'), ('ingest_lag', 'the oldest event that waits is older than')], max_length=12)),
                ('threshold', models.FloatField(blank=True, help_text='Impact 0-100; tenants; events; percent above the usual; crash-free percent; hours on the hit list (empty: only when it expires); seconds of lag.', null=True, validators=[django.core.validators.MaxValueValidator(10000000)])),
                ('minutes', models.PositiveIntegerField(blank=True, help_text='For tenants, events, the usual and crash-free sessions.', null=True, validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(1440)], verbose_name='within minutes')),
                ('environment', models.CharField(blank=True, help_text='Such as production or prod-*. Empty: every one.', max_length=200, validators=[issues.models.alert_rule.validate_glob])),
                ('min_level', models.SmallIntegerField(choices=[(10, 'debug'), (20, 'info'), (30, 'warning'), (40, 'error'), (50, 'fatal')], default=10, verbose_name='from level')),
                ('tag_key', models.CharField(blank=True, max_length=200, verbose_name='tag')),
                ('tag_value', models.CharField(blank=True, help_text='Such as dhl*. Empty: any value.', max_length=200, validators=[issues.models.alert_rule.validate_glob], verbose_name='value of the tag')),
                ('tenant', models.CharField(blank=True, help_text='Key of a tenant that is hit, or such as *.example.com', max_length=200, validators=[issues.models.alert_rule.validate_glob])),
                ('release', models.CharField(blank=True, help_text='Such as shop@2.*', max_length=200, validators=[issues.models.alert_rule.validate_glob])),
                ('path', models.CharField(blank=True, help_text='On the transaction, the culprit or the URL, such as */checkout*', max_length=200, validators=[issues.models.alert_rule.validate_glob])),
                ('severity', models.CharField(choices=[('critical', 'Critical'), ('high', 'High'), ('low', 'Low')], default='high', help_text='Of its messages, and of the incident that it opens.', max_length=10)),
                ('opens_incident', models.BooleanField(default=False, help_text='One while it lasts; what comes then joins it. Channels and people hear of the incident instead of each alert.')),
                ('repeat_minutes', models.PositiveIntegerField(default=60, help_text='Of the same issue, environment or job nothing is told before.', validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(10080)], verbose_name='told again after minutes')),
                ('digest_minutes', models.PositiveIntegerField(default=0, help_text='0: told at once. Else one message tells of all within this time.', validators=[django.core.validators.MaxValueValidator(10080)], verbose_name='collected for minutes')),
                ('quiet_from', models.TimeField(blank=True, help_text='What comes in quiet hours is told in one message at their end.', null=True)),
                ('quiet_until', models.TimeField(blank=True, null=True)),
                ('quiet_timezone', models.CharField(default='UTC', help_text='Such as Europe/Vienna.', max_length=64, validators=[issues.models.zones.validate_time_zone], verbose_name='time zone')),
                ('ignores_quiet_hours', models.BooleanField(default=False, help_text='For rules that open critical incidents.', verbose_name='tells in quiet hours, too')),
                ('created', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False)),
            ],
            options={
                'ordering': ['name'],
            },
        ),
        migrations.AddField(
            model_name='issueactivity',
            name='alerts_due',
            field=models.BooleanField(db_default=False, editable=False),
        ),
        migrations.AddIndex(
            model_name='issueactivity',
            index=models.Index(condition=models.Q(('alerts_due', True)), fields=['id'], name='activity_alerts_due'),
        ),
        migrations.AddField(
            model_name='alert',
            name='issue',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='alerts', to='issues.issue'),
        ),
        migrations.AddField(
            model_name='alert',
            name='project',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.project'),
        ),
        migrations.AddField(
            model_name='alertrule',
            name='channels',
            field=models.ManyToManyField(blank=True, to='tenants.channel'),
        ),
        migrations.AddField(
            model_name='alertrule',
            name='people',
            field=models.ManyToManyField(blank=True, help_text='Told by mail.', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='alertrule',
            name='plan',
            field=models.ForeignKey(blank=True, help_text='A tenant on this plan is hit', null=True, on_delete=django.db.models.deletion.PROTECT, to='tenants.plan'),
        ),
        migrations.AddField(
            model_name='alertrule',
            name='project',
            field=models.ForeignKey(blank=True, help_text='Empty: every project', null=True, on_delete=django.db.models.deletion.CASCADE, to='tenants.project'),
        ),
        migrations.AddField(
            model_name='alert',
            name='rule',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='alerts', to='issues.alertrule'),
        ),
        migrations.AddConstraint(
            model_name='alertrule',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('when__in', ('impact', 'tenants', 'events', 'unusual', 'crash_free', 'ingest_lag')), _negated=True), ('threshold__isnull', False), _connector='OR'), name='alertrule_threshold', violation_error_message='Give the threshold that this rule compares with.'),
        ),
        migrations.AddConstraint(
            model_name='alertrule',
            constraint=models.CheckConstraint(condition=models.Q(('when__in', ['impact', 'tenants', 'events', 'unusual', 'crash_free', 'ingest_lag', 'hit_list']), ('threshold__isnull', True), _connector='OR'), name='alertrule_no_threshold', violation_error_message='This rule compares with no threshold: leave it empty.'),
        ),
        migrations.AddConstraint(
            model_name='alertrule',
            constraint=models.CheckConstraint(condition=models.Q(('threshold__isnull', True), models.Q(('threshold__gt', 0), ('threshold__lte', 10000000), models.Q(models.Q(('when__in', ['impact', 'crash_free']), _negated=True), ('threshold__lte', 100), _connector='OR')), _connector='OR'), name='alertrule_threshold_range', violation_error_message='The threshold is above 0 and at most 10,000,000; that of impact and of crash-free sessions is at most 100.'),
        ),
        migrations.AddConstraint(
            model_name='alertrule',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('when', 'unusual'), _negated=True), ('minutes__lte', 60), _connector='OR'), name='alertrule_usual_hour', violation_error_message='The usual is that of an hour: give at most 60 minutes.'),
        ),
        migrations.AddConstraint(
            model_name='alertrule',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('minutes__isnull', False), ('when__in', ('tenants', 'events', 'unusual', 'crash_free'))), models.Q(models.Q(('when__in', ('tenants', 'events', 'unusual', 'crash_free')), _negated=True), ('minutes__isnull', True)), _connector='OR'), name='alertrule_minutes', violation_error_message='Give the minutes within which tenants, events or sessions are counted; leave them empty for all else.'),
        ),
        migrations.AddConstraint(
            model_name='alertrule',
            constraint=models.CheckConstraint(condition=models.Q(('when__in', ('new_issue', 'regression', 'impact', 'tenants', 'hit_list')), models.Q(('min_level', 10), ('path', ''), ('plan', None), ('tag_key', ''), ('tenant', '')), _connector='OR'), name='alertrule_asks_issue', violation_error_message='Level, tag, tenant, plan and path are asked of issues only: leave them empty here.'),
        ),
        migrations.AddConstraint(
            model_name='alertrule',
            constraint=models.CheckConstraint(condition=models.Q(('when__in', ('new_issue', 'regression', 'impact', 'tenants', 'hit_list', 'events', 'crash_free', 'verdict', 'rollback')), ('release', ''), _connector='OR'), name='alertrule_asks_release', violation_error_message='This rule knows of no release: leave it empty.'),
        ),
        migrations.AddConstraint(
            model_name='alertrule',
            constraint=models.CheckConstraint(condition=models.Q(('when__in', ('new_issue', 'regression', 'impact', 'tenants', 'hit_list', 'events', 'crash_free', 'verdict', 'rollback', 'unusual', 'monitor')), models.Q(('environment', ''), ('project', None)), _connector='OR'), name='alertrule_asks_place', violation_error_message='Events wait in one line for all projects: leave project and environment empty.'),
        ),
        migrations.AddConstraint(
            model_name='alertrule',
            constraint=models.CheckConstraint(condition=models.Q(('tag_value', ''), models.Q(('tag_key', ''), _negated=True), _connector='OR'), name='alertrule_tag', violation_error_message='Name the tag that has this value.'),
        ),
        migrations.AddConstraint(
            model_name='alertrule',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('quiet_from', None), ('quiet_until', None)), models.Q(('quiet_from__isnull', False), ('quiet_until__isnull', False), models.Q(('quiet_from', models.F('quiet_until')), _negated=True)), _connector='OR'), name='alertrule_quiet', violation_error_message='Give both ends of the quiet hours, and two different ones; or neither.'),
        ),
        migrations.AddConstraint(
            model_name='alertrule',
            constraint=models.CheckConstraint(condition=models.Q(('ignores_quiet_hours', False), models.Q(('opens_incident', True), ('severity', 'critical')), _connector='OR'), name='alertrule_loud', violation_error_message='Only a rule that opens critical incidents may tell in quiet hours.'),
        ),
        migrations.AddConstraint(
            model_name='alertrule',
            constraint=models.CheckConstraint(condition=models.Q(('opens_incident', False), ('digest_minutes', 0), _connector='OR'), name='alertrule_digest', violation_error_message='A rule that opens incidents tells at once: collect for 0 minutes.'),
        ),
        migrations.AddIndex(
            model_name='alert',
            index=models.Index(fields=['rule', 'about', '-at'], name='alert_about'),
        ),
        migrations.AddIndex(
            model_name='alert',
            index=models.Index(condition=models.Q(('state__in', ['pending', 'held'])), fields=['rule', 'id'], name='alert_waiting'),
        ),
        migrations.AddIndex(
            model_name='alert',
            index=models.Index(condition=models.Q(('told_at__isnull', False)), fields=['rule', 'told_at'], name='alert_told'),
        ),
        migrations.AddIndex(
            model_name='alert',
            index=models.Index(fields=['message', '-id'], name='alert_message'),
        ),
        migrations.AddIndex(
            model_name='alert',
            index=models.Index(fields=['at'], name='alert_at'),
        ),
        migrations.AddConstraint(
            model_name='alert',
            constraint=models.UniqueConstraint(models.F('rule'), models.F('cause'), name='alert_once'),
        ),
    ]
