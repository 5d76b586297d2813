import { describe, expect, test } from 'vitest';
import { readFailure, readReply } from '../../src/core/read-failure.js';

describe('a reply that others made', () => {
  test.each<[unknown, unknown]>([
    [
      { code: 250, text: 'ok', enhanced: '2.0.0' },
      { code: 250, text: 'ok', enhanced: '2.0.0' },
    ],
    [{ code: 250 }, { code: 250, text: '' }],
    [
      { code: 250, text: 5, enhanced: 5, more: 1 },
      { code: 250, text: '' },
    ],
    [
      { code: 550, text: 'a\u0000b', enhanced: '5.1.1\nBcc: x' },
      { code: 550, text: 'a?b' },
    ],
    [{ code: '250', text: 'ok' }, undefined],
    [{ code: 25.5, text: 'ok' }, undefined],
    [{ text: 'ok' }, undefined],
    ['250 ok', undefined],
    [null, undefined],
  ])('%j', (given, read) => {
    expect(readReply(given)).toEqual(read);
  });
});

describe('a failure that others made', () => {
  test.each<[unknown, unknown]>([
    [
      { kind: 'reply', phase: 'data', reply: { code: 451 } },
      { kind: 'reply', phase: 'data', reply: { code: 451, text: '' } },
    ],
    [{ kind: 'reply', phase: 'data', reply: { text: 'x' } }, undefined],
    [{ kind: 'reply', phase: 'body', reply: { code: 451, text: 'x' } }, undefined],
    [
      { kind: 'lost', phase: 'connect' },
      { kind: 'lost', phase: 'connect', code: 'EUNKNOWN', message: '' },
    ],
    [{ kind: 'lost', code: 'EX', message: 'x' }, undefined],
    [
      { kind: 'reply', phase: 'envelope', reply: { code: 550, text: 'x' }, command: 'MAIL FROM' },
      { kind: 'reply', phase: 'envelope', reply: { code: 550, text: 'x' }, command: 'MAIL FROM' },
    ],
    [
      { kind: 'reply', phase: 'envelope', reply: { code: 550, text: 'x' }, command: 'MAIL FROM:<a@b.example>' },
      { kind: 'reply', phase: 'envelope', reply: { code: 550, text: 'x' } },
    ],
    [
      { kind: 'lost', phase: 'session', code: 'EAUTH', message: 'x', command: 'AUTH XOAUTH2' },
      { kind: 'lost', phase: 'session', code: 'EAUTH', message: 'x', command: 'AUTH XOAUTH2' },
    ],
    [
      { kind: 'aborted', message: 'x\r\ny', last: {} },
      { kind: 'aborted', message: 'x?\ny' },
    ],
    [{ kind: 'expired' }, { kind: 'expired', message: '' }],
    [
      { kind: 'unroutable', message: 'x', enhanced: '5.1.2' },
      { kind: 'unroutable', message: 'x', enhanced: '5.1.2' },
    ],
    [
      { kind: 'unsupported', need: 'SIZE', message: 'x' },
      { kind: 'unsupported', need: 'SIZE', message: 'x' },
    ],
    [{ kind: 'unsupported', need: '8BITMIME', message: 'x' }, undefined],
    [{ kind: 'busy' }, undefined],
    [undefined, undefined],
    ['lost', undefined],
  ])('%j', (given, read) => {
    expect(readFailure(given)).toEqual(read);
  });
});
