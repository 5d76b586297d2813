/** A script that sends a large file, and tells how much memory its buffers took at most. */
import { createTransport } from 'nodemailer';
import { defineRoutes } from 'smtp-routes';
import { RoutedTransport } from 'smtp-routes/nodemailer';

const [port, path = ''] = process.argv.slice(2);
const routes = defineRoutes({
  relays: { main: { host: '127.0.0.1', port: Number(port) } },
  routes: [{ match: 'ALL', tiers: [['main']] }],
});
const transporter = createTransport(new RoutedTransport({ routes }));
let mostBytes = 0;
const timer = setInterval(() => {
  mostBytes = Math.max(mostBytes, process.memoryUsage().arrayBuffers);
}, 2);
const { accepted } = await transporter.sendMail({
  from: 'app@sender.example',
  to: 'user@example.com',
  attachments: [{ path }],
});
clearInterval(timer);
console.log(JSON.stringify({ accepted, mostBytes }));
