/**
 * What operators ask for is checked before anything is done.
 */
import { expect, test } from 'vitest';
import { readRedirect } from '../../src/queue/which-mail.js';

const RELAYS = ['eu-1', 'eu-2'];

test.for<[to: unknown, read: object | undefined]>([
  [undefined, undefined],
  ['eu-1', { relay: 'eu-1' }],
  [{ relay: 'eu-2' }, { relay: 'eu-2' }],
  [{ relay: 'eu-2', domain: undefined }, { relay: 'eu-2' }],
  [{ domain: 'Münster.test' }, { domain: 'xn--mnster-3ya.test' }],
])('redirected to %o', ([to, read]) => {
  expect(readRedirect('all', to, RELAYS)).toEqual(read);
});

test.for<[to: unknown, problem: string]>([
  ['', 'to: no relay is called ""'],
  ['eu-3', 'to: no relay is called "eu-3"; did you mean "eu-1"?'],
  [null, 'to: must be the id of a relay, { relay } or { domain }, got null'],
  [7, 'to: must be the id of a relay, { relay } or { domain }, got 7'],
  [[], 'to: must be the id of a relay, { relay } or { domain }, got an empty array'],
  [{}, 'to: must name a relay or a domain: { relay } or { domain }'],
  [{ relay: 'eu-1', domain: 'a.test' }, 'to: names a relay and a domain; leave one out'],
  [{ relayId: 'eu-1' }, 'to.relayId: unknown option'],
  [{ relay: 5 }, 'to.relay: must be a non-empty string, got 5'],
  [{ relay: 'eu1' }, 'to.relay: no relay is called "eu1"; did you mean "eu-1"?'],
  [{ domain: '' }, 'to.domain: must be a non-empty string, got ""'],
  [{ domain: 'no domain' }, 'to.domain: is no domain: "no domain"'],
])('not redirected to %o', ([to, problem]) => {
  expect(() => readRedirect('all', to, RELAYS)).toThrow(problem);
});

test('everything that is wrong is told at once', () => {
  const wrong = { relay: 'x', domain: 'no domain', relayId: 'eu-1' };
  expect(() => readRedirect({ doamin: 'a.test' } as object, wrong, RELAYS)).toThrow(
    [
      'redirect: 5 problems',
      '  which.doamin: unknown option; did you mean "domain"?',
      '  to.relay: no relay is called "x"',
      '  to.domain: is no domain: "no domain"',
      '  to.relayId: unknown option; did you mean "relay"?',
      '  to: names a relay and a domain; leave one out',
    ].join('\n'),
  );
});
