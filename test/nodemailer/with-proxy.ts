/**
 * An HTTP proxy on loopback that is asked for tunnels (CONNECT), and does with each what a test says.
 */
import { createServer } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';

export async function withProxy<T>(
  behave: (socket: Socket, connectTo: (port: number) => void) => void,
  use: (proxy: string, asked: string[]) => Promise<T>,
): Promise<T> {
  const asked: string[] = [];
  const sockets = new Set<Socket>();
  const proxy = createServer();
  proxy.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  proxy.on('connect', (request, client: Socket) => {
    asked.push(request.url!);
    client.on('error', () => undefined);
    behave(client, () => {
      const upstream = connect(Number(request.url!.split(':')[1]), '127.0.0.1', () => {
        client.write('HTTP/1.1 200 Connection established\r\n\r\n');
        upstream.pipe(client).pipe(upstream);
      });
      upstream.on('error', () => client.destroy());
    });
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  try {
    return await use(`http://127.0.0.1:${String((proxy.address() as AddressInfo).port)}`, asked);
  } finally {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => proxy.close(resolve));
  }
}
