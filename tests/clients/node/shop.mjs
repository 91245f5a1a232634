// The order service of some shops: Express with @sentry/node, as its manual sets it up.
// Serves itself, is asked four times, fails once, and prints the ids of what it sent.
//   node shop.mjs <DSN>
import * as Sentry from '@sentry/node';
import http from 'node:http';

const sent = [];
Sentry.init({
  dsn: process.argv[2],
  release: 'shop-node@1.0.0',
  environment: 'staging',
  tracesSampleRate: 1,
  beforeSend(event) {
    sent.push(event.event_id);
    return event;
  },
});
const { default: express } = await import('express');

function price(line) {
  return line.price.amount * line.quantity;
}

function total(order) {
  return order.lines.reduce((sum, line) => sum + price(line), 0);
}

const app = express();
app.use(express.json());
app.post('/checkout', (request, response) => {
  Sentry.setTag('shop', request.get('x-shop'));
  Sentry.setTag('template', 'minimal');
  Sentry.setUser({ id: 'merchant-7', email: 'mia@shop.example' });
  Sentry.addBreadcrumb({ category: 'cart', message: `order ${request.body.id}` });
  response.json({ total: total(request.body) });
});
Sentry.setupExpressErrorHandler(app);
app.use((error, request, response, next) => response.status(500).end());

const server = await new Promise((resolve) => {
  const listening = app.listen(0, '127.0.0.1', () => resolve(listening));
});
const ask = (price) =>
  new Promise((resolve) => {
    const order = JSON.stringify({ id: 1001, lines: [{ price, quantity: 1 }] });
    const headers = {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(order),
      'x-shop': 'Bella.example',
    };
    const { port } = server.address();
    const options = { port, method: 'POST', path: '/checkout', headers, agent: false };
    http.request(options, (response) => resolve(response.resume().statusCode)).end(order);
  });
const answers = [];
for (const price of [{ amount: 3 }, { amount: 4 }, { amount: 5 }, undefined]) {
  answers.push(await ask(price));
}
server.close();
await Sentry.close(10_000);
console.log(JSON.stringify({ sent, answers }));
process.exit(0);
