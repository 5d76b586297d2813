import { X509Certificate } from 'node:crypto';
import { connect } from 'node:tls';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { defineRoutes } from 'smtp-routes';
import { nodemailerTransport } from 'smtp-routes/nodemailer';
import { selfSignedCertificate, startSmtpServer } from 'smtp-routes/testing';

test('names, addresses and time are in the certificate', () => {
  const { cert } = selfSignedCertificate({ names: ['mx.example.com', '192.0.2.1', '2001:db8::7'], days: 10 });
  const read = new X509Certificate(cert);
  expect(read.subject).toBe('CN=mx.example.com');
  expect(read.subjectAltName).toBe('DNS:mx.example.com, IP Address:192.0.2.1, IP Address:2001:DB8:0:0:0:0:0:7');
  const days = (new Date(read.validTo).getTime() - Date.now()) / 86_400_000;
  expect(days).toBeGreaterThan(9.9);
  expect(days).toBeLessThan(10.1);
  expect(read.verify(read.publicKey)).toBe(true);
});

test('a client that trusts it speaks STARTTLS, and one that does not refuses', async () => {
  await using server = await startSmtpServer({ tls: true });
  const relayWith = (tls: object) =>
    defineRoutes({ relays: { a: { host: server.host, port: server.port, tls } }, routes: [] }).relay('a');
  const transport = nodemailerTransport();
  await transport.check!(relayWith({ ca: server.certificate }));
  expect(server.sessions[0]).toMatchObject({ secure: true });
  await expect(transport.check!(relayWith({}))).rejects.toThrow('cannot be used');
});

test('implicit TLS by name', async () => {
  await using server = await startSmtpServer({ tls: true, secure: true });
  const socket = connect({ host: server.host, port: server.port, ca: server.certificate, servername: 'localhost' });
  await once(socket, 'secureConnect');
  expect(socket.authorized).toBe(true);
  socket.destroy();
});

test('one that has expired, and many at once, each with its own', async () => {
  const expired = new X509Certificate(selfSignedCertificate({ days: -1 }).cert);
  expect(new Date(expired.validTo).getTime()).toBeLessThan(Date.now());
  const servers = await Promise.all(Array.from({ length: 50 }, () => startSmtpServer({ tls: true })));
  expect(new Set(servers.map(({ port }) => port)).size).toBe(50);
  expect(new Set(servers.map(({ certificate }) => certificate)).size).toBe(50);
  await Promise.all(servers.map((server) => server.close()));
});
