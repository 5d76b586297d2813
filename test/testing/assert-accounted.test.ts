import { expect, test } from 'vitest';
import type { RecipientOutcome } from '../../src/core/outcome.js';
import { assertAccounted } from '../../src/testing/assert-accounted.js';

const outcome = (...recipients: string[]): { recipients: RecipientOutcome[] } => ({
  recipients: recipients.map((recipient) => ({ recipient, status: 'discarded' })),
});

test('each recipient once and in order', () => {
  assertAccounted(['a@x.test', 'b@x.test'], outcome('a@x.test', 'b@x.test'));
});

test('doubles are one recipient, spelled as at first', () => {
  assertAccounted(
    ['a@X.test', 'a@x.test', 'A@x.test', 'a@münchen.test', 'a@XN--MNCHEN-3YA.test'],
    outcome('a@X.test', 'A@x.test', 'a@münchen.test'),
  );
});

test.each([
  ['missing: b@x.test', outcome('a@x.test')],
  ['not in the envelope: c@x.test', outcome('a@x.test', 'b@x.test', 'c@x.test')],
  ['settled more than once: a@x.test', outcome('a@x.test', 'a@x.test', 'b@x.test')],
  ['out of order: expected a@x.test, b@x.test; got b@x.test, a@x.test', outcome('b@x.test', 'a@x.test')],
])('%s', (difference, actual) => {
  expect(() => assertAccounted(['a@x.test', 'b@x.test'], actual)).toThrow(difference);
});
