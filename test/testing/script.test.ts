import { expect, test } from 'vitest';
import { STAGES, parseScriptLine } from '../../src/testing/script.js';

const read = (line: string): object => {
  const { line: _, ...rest } = parseScriptLine(line);
  return rest;
};

test.each([
  ['250', { stage: 'final-reply', accepts: true, action: { do: 'reply', code: 250, text: '' } }],
  [
    '250 2.0.0 queued',
    { stage: 'final-reply', accepts: true, action: { do: 'reply', code: 250, text: '2.0.0 queued' } },
  ],
  ['421 busy', { stage: 'greeting', action: { do: 'reply', code: 421, text: 'busy' } }],
  ['431@greeting a\nb', { stage: 'greeting', action: { do: 'reply', code: 431, text: 'a\nb' } }],
  ['550@rcpt no', { stage: 'rcpt', action: { do: 'reply', code: 550, text: 'no' } }],
  ['450@rcpt(a@b.c)', { stage: 'rcpt', which: { recipient: 'a@b.c' }, action: { do: 'reply', code: 450, text: '' } }],
  [
    '452@rcpt(3+) x',
    { stage: 'rcpt', which: { from: 3, to: Infinity }, action: { do: 'reply', code: 452, text: 'x' } },
  ],
  ['421@mail(2)', { stage: 'mail', which: { from: 2, to: 2 }, action: { do: 'reply', code: 421, text: '' } }],
  ['refused', { stage: 'connect', action: { do: 'refuse' } }],
  ['stall@mail', { stage: 'mail', action: { do: 'stall' } }],
  ['reset@body', { stage: 'body', action: { do: 'reset' } }],
  ['lost@final-reply', { stage: 'final-reply', action: { do: 'lost', code: 'ECONNECTION', message: '' } }],
  [
    'lost@connect ETIMEDOUT too slow',
    { stage: 'connect', action: { do: 'lost', code: 'ETIMEDOUT', message: 'too slow' } },
  ],
  ['lost@mail Every word', { stage: 'mail', action: { do: 'lost', code: 'ECONNECTION', message: 'Every word' } }],
  ['raw@mail 250 o\r\n', { stage: 'mail', action: { do: 'raw', text: '250 o\r\n' } }],
  ['flood@ehlo 250-x', { stage: 'ehlo', action: { do: 'flood', text: '250-x' } }],
])('%j', (line, expected) => {
  expect(read(line)).toEqual(expected);
});

test('every stage can be named, and connect takes no reply', () => {
  for (const stage of STAGES) expect(parseScriptLine(`close@${stage}`).stage).toBe(stage);
  expect(() => parseScriptLine('220@connect')).toThrow('nothing is said at connect');
});

test('a function is asked at a stage, so a bare word there is for that stage', () => {
  expect(parseScriptLine('450 busy', 'mail')).toMatchObject({ stage: 'mail' });
  expect(parseScriptLine('close', 'data')).toMatchObject({ stage: 'data' });
  expect(parseScriptLine('250 fine', 'data')).toMatchObject({ stage: 'final-reply', accepts: true });
  expect(parseScriptLine('450@rcpt', 'mail')).toMatchObject({ stage: 'rcpt' });
});

test.each([
  ['', 'expected ACTION'],
  ['250@', 'expected ACTION'],
  ['boom@mail', 'unknown action "boom"'],
  ['450@rctp', 'unknown stage "rctp"; did you mean "rcpt"?'],
  ['close', 'at which stage? For example close@mail'],
  ['354', 'at which stage?'],
  ['199@mail', 'unknown action "199"'],
  ['refused@mail', 'only a connection can be refused'],
  ['450@mail(a@b.c)', 'only rcpt can be for a recipient'],
  ['450@rcpt(0)', 'in parentheses'],
])('%j is refused: %s', (line, why) => {
  const attempt = (): unknown => parseScriptLine(line);
  expect(attempt).toThrow(TypeError);
  expect(attempt).toThrow(why);
  expect(attempt).toThrow(JSON.stringify(line));
});
