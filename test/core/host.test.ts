import { expect, test } from 'vitest';
import { canonicalHost, hostProblem } from '../../src/core/host.js';

test.each([
  ['Mail.Example.COM.', 'mail.example.com'],
  ['localhost', 'localhost'],
  ['bücher.example', 'xn--bcher-kva.example'],
  ['192.0.2.7', '192.0.2.7'],
  ['2001:DB8:0::7', '2001:db8::7'],
  ['::1', '::1'],
])('%j is the host %j', (text, host) => {
  expect(canonicalHost(text)).toBe(host);
});

test.each([
  ['', 'is empty'],
  ['[192.0.2.7]', 'brackets'],
  ['mail.example.com:25', 'a port'],
  ['192.0.2.7:25', 'a port'],
  ['smtp://user:secret@mail.example.com', 'is a URL'],
  ['user:secret@mail.example.com', '"@"'],
  ['mail.example.com/x', '"/"'],
  ['a b', 'white space'],
  // What the operating system would read as 1.0.0.2, 127.0.0.1 and 0.0.0.5.
  ['1.2', 'neither an IP address nor a name'],
  ['0x7f.1', 'neither an IP address nor a name'],
  ['5', 'neither an IP address nor a name'],
  ['192.0.2.256', 'neither an IP address nor a name'],
])('%j is none: %s', (text, problem) => {
  expect(canonicalHost(text)).toBeUndefined();
  expect(hostProblem(text)).toContain(problem);
  expect(hostProblem(text)).not.toContain('secret');
});
