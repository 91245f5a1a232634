// A shop's job with @sentry/node and docs/sdk/rush-detail.mjs: fails once for each tenant.
//   node detail.mjs <DSN> <tenant>...
import * as Sentry from '@sentry/node';
import { rushDetail } from './rush-detail.mjs';

const [dsn, ...tenants] = process.argv.slice(2);
Sentry.init({
  dsn,
  release: 'shop@1',
  environment: 'staging',
  includeLocalVariables: true,
  beforeSend: rushDetail(dsn, { wait: 10_000 }),
});

// The SDK reads local variables from a worker, which has no sign for being there.
await new Promise((resolve) => setTimeout(resolve, 1000));

function charge(shop) {
  const card = `card of ${shop}`;
  // Of three errors that look alike the SDK would send one.
  throw new Error(`refused ${card.length}`);
}

for (const tenant of tenants) {
  Sentry.withIsolationScope((scope) => {
    scope.setTag('shop', tenant);
    scope.setUser({ id: '7' });
    scope.setExtra('order', 1001);
    scope.addAttachment({ data: 'a log', filename: 'log.txt' });
    for (let number = 0; number < 30; number += 1) {
      Sentry.addBreadcrumb({ category: 'cart', message: `step ${number}` });
    }
    try {
      charge(tenant);
    } catch (error) {
      Sentry.captureException(error);
    }
  });
}
await Sentry.close(10_000);
process.exit(0);
