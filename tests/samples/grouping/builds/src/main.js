import { renderTimeline, countEvents } from './timeline.js';
import { findOrder, readAnswer, notify, walk } from './api.js';
/*IMPORTS*/

const broken = { id: 1002, locale: 'de-AT', shipments: [{ carrier: 'dhl' }] };
const loop = {};
loop.parent = loop;
/*SETUP*/

globalThis.faults = {
  timeline: async () => renderTimeline(broken),
  count: async () => countEvents(broken),
  cartPreview: async (id) => (await import('./cart.js')).preview({ id }),
  cartTotal: async (id) => (await import('./cart.js')).totalOf({ items: [{ id, quantity: 1 }] }),
  eta: async (id) => (await import('./eta.js')).estimate({ name: 'dhl' }, id),
  etaDays: async (id) => (await import('./eta.js')).estimateDays({ name: 'dhl' }, id),
  missingOrder: async (id) => findOrder([], id),
  brokenAnswer: async (id) => readAnswer('<html>' + id, id),
  channel: async (id) => notify({ id }, { kind: 'mail' }),
  recursion: async () => walk(loop),
};
