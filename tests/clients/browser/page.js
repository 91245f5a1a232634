// The order page of a shop with @sentry/browser. `window.SHOP` is set by the page.
import * as Sentry from '@sentry/browser';

const { dsn, shop, tunnel } = window.SHOP;
window.sent = [];
Sentry.init({
  dsn,
  tunnel,
  release: 'shop-page@1.0.0',
  environment: 'staging',
  tracesSampleRate: 1,
  integrations: [Sentry.browserTracingIntegration()],
  initialScope: {
    tags: { shop, template: 'minimal' },
    user: { id: 'visitor-7' },
  },
  beforeSend(event) {
    window.sent.push(event.event_id);
    return event;
  },
});
// Tags do not reach streamed spans; attributes do.
Sentry.setAttributes?.({ shop });

function newest(parcel) {
  return parcel.steps.slice().sort()[0];
}

function describe(order) {
  return order.parcels.map((parcel) => newest(parcel).status).join(', ');
}

document.getElementById('refresh').addEventListener('click', () => {
  document.title = describe({ parcels: [{ carrier: 'dhl' }] });
});
