class Cart {
  constructor(items) {
    this.items = items;
  }

  firstItems(count) {
    return this.items.slice(0, count);
  }

  total() {
    return this.items.reduce((sum, item) => sum + item.price.amount * item.quantity, 0);
  }
}

export function preview(data) {
  const cart = new Cart(data.items);
  return cart.firstItems(3).map((item) => item.title);
}

export function totalOf(data) {
  const cart = new Cart(data.items);
  return cart.total().toFixed(2);
}
