class CarrierError extends Error {
  constructor(message, options) {
    super(message, options);
    this.name = 'CarrierError';
  }
}

export function findOrder(orders, id) {
  const found = orders.find((order) => order.id === id);
  if (!found) throw new RangeError(`order ${id} is not in this shop`);
  return found;
}

export function readAnswer(text, order) {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new CarrierError(`carrier answer for order ${order} is broken`, { cause });
  }
}

export function notify(order, channel) {
  return channel.deliverMessage(order.id);
}

export function walk(node) {
  return node.parent ? 1 + walk(node.parent) : 0;
}
