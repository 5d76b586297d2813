import { describe, expect, test } from 'vitest';
import type { SmtpVia } from '../../src/core/relay.js';
import { SMTP_OPTION_NAMES, SMTP_VIA_CHECKS } from '../../src/core/smtp-via-options.js';

const GOOD: Required<SmtpVia> = {
  host: 'mail.example.net',
  port: 2525,
  lookup: 'mx',
  pool: true,
  maxConnections: 5,
  maxMessages: 100,
  idleMs: 30_000,
  secure: false,
  ignoreTLS: false,
  requireTLS: true,
  opportunisticTLS: false,
  tls: { rejectUnauthorized: false },
  servername: 'mail.example.net',
  auth: { user: 'u', pass: 'p' },
  authMethod: 'PLAIN',
  customAuth: {},
  name: 'app.example.com',
  localAddress: '192.0.2.1',
  getSocket: () => undefined,
  proxy: 'socks5://127.0.0.1:1080',
  connectionTimeout: 30_000,
  greetingTimeout: 30_000,
  socketTimeout: 300_000,
  socketCloseTimeout: 0,
  dnsTimeout: 30_000,
  maxResponseSize: 1_000_000,
  allowInternalNetworkInterfaces: true,
  logger: console,
  debug: false,
  transactionLog: false,
};

test('every option has a check that takes a good value', () => {
  const wrong = Object.entries(GOOD).filter(([name, value]) => SMTP_VIA_CHECKS[name as keyof SmtpVia](value));
  expect(wrong).toEqual([]);
  expect(Object.keys(SMTP_VIA_CHECKS).sort()).toEqual(Object.keys(GOOD).sort());
});

describe('a bad value is refused', () => {
  test.each<[keyof SmtpVia, unknown, string]>([
    ['host', '', 'is empty'],
    ['port', 0, 'from 1 to 65535'],
    ['port', '25', 'from 1 to 65535'],
    ['lookup', 'a', 'one of address, mx'],
    ['pool', 'yes', 'true or false'],
    ['maxConnections', 0, 'from 1'],
    ['maxMessages', Infinity, 'from 1'],
    ['idleMs', -1, 'milliseconds'],
    ['secure', 1, 'true or false'],
    ['tls', true, 'an object'],
    ['servername', '', 'a non-empty string'],
    ['auth', 'user:pass', 'an object'],
    ['auth', ['user', 'pass'], 'an object'],
    ['name', 'a\r\nRSET', 'without white space'],
    ['localAddress', 'eth0', 'an IP address'],
    ['proxy', 'proxy.example.net', 'a URL'],
    ['socketTimeout', '5s', 'milliseconds'],
    ['connectionTimeout', NaN, 'milliseconds'],
    ['dnsTimeout', 2 ** 31, 'milliseconds'],
    ['socketCloseTimeout', -1, 'milliseconds'],
    ['maxResponseSize', 0.5, 'an integer'],
  ])('%s: %j', (name, value, problem) => {
    expect(SMTP_VIA_CHECKS[name](value)).toContain(problem);
  });
});

test('what is ours is not passed to nodemailer', () => {
  const ours = Object.keys(SMTP_VIA_CHECKS).filter((name) => !(SMTP_OPTION_NAMES as readonly string[]).includes(name));
  expect(ours.sort()).toEqual(['idleMs', 'lookup', 'maxConnections', 'maxMessages', 'pool']);
});
