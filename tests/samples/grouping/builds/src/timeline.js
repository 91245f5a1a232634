function latestEvent(shipment) {
  const sorted = shipment.events.slice().sort((a, b) => a.at - b.at);
  return sorted[sorted.length - 1];
}

function describeShipment(shipment, locale) {
  const event = latestEvent(shipment);
  return `${event.status} (${new Date(event.at).toLocaleDateString(locale)})`;
}

export function renderTimeline(order) {
  const rows = order.shipments.map((shipment) => describeShipment(shipment, order.locale));
  return rows.map((row) => `<li>${row}</li>`).join('');
}

export function countEvents(order) {
  const first = order.shipments[0];
  const events = first.events.slice();
  return events.length;
}
