import { describe, expect, test } from 'vitest';
import {
  checkOptions,
  isBoolean,
  isDuration,
  isFunction,
  isIntegerBetween,
  isObject,
  isOneOf,
  isString,
  show,
  suggestion,
  withDefaults,
} from '../../src/core/check-options.js';
import { Problems } from '../../src/core/config-error.js';
import { problemsOf } from './problems-of.js';

const check = (options: unknown, path = ''): string[] =>
  problemsOf(() => {
    const problems = new Problems();
    checkOptions(options, { host: isString, port: isIntegerBetween(1, 65535), secure: isBoolean }, path, problems);
    problems.throwIfAny('test');
  });

describe('an options object', () => {
  test('is checked key by key', () => {
    expect(check({ host: 'x', port: 25, secure: true })).toEqual([]);
    expect(check({ host: '', port: 0, secure: 1 })).toEqual([
      'host: must be a non-empty string, got ""',
      'port: must be an integer from 1 to 65535, got 0',
      'secure: must be true or false, got 1',
    ]);
  });

  test('may leave keys out, and undefined is left out', () => {
    expect(check({ host: undefined })).toEqual([]);
  });

  test('may have no other keys, not even those that every object knows', () => {
    expect(check({ hots: 'x', toString: 1, constructor: 2, __proto__: { port: 'ignored' } }, 'relays.a')).toEqual([
      'relays.a.hots: unknown option; did you mean "host"?',
      'relays.a.toString: unknown option',
      'relays.a.constructor: unknown option',
    ]);
  });

  test.each([
    [null, 'null'],
    [undefined, 'undefined'],
    [[], 'an empty array'],
    ['x', '"x"'],
    [5, '5'],
  ])('is not %j', (value, shown) => {
    expect(check(value)).toEqual([`options: must be an object, got ${shown}`]);
    expect(check(value, 'at')).toEqual([`at: must be an object, got ${shown}`]);
  });
});

test('a duration is a number of milliseconds that a timer can keep', () => {
  for (const value of [1, 0.5, 2_147_483_647]) expect(isDuration(value)).toBeUndefined();
  for (const value of [0, -1, 2_147_483_648, Infinity, NaN, '5', null])
    expect(isDuration(value)).toMatch('must be a number of milliseconds');
});

test('other checks say what they want', () => {
  expect(isFunction('x')).toBe('must be a function, got "x"');
  expect(isObject(null)).toBe('must be an object, got null');
  expect(isOneOf('a', 'b')('c')).toBe('must be one of a, b; got "c"');
  expect(isOneOf('a')('a')).toBeUndefined();
});

test('values are shown short, on one line, and never from the inside', () => {
  expect(show('x'.repeat(100))).toBe(`"${'x'.repeat(60)}…"`);
  expect(show('a\nb')).toBe('"a\\nb"');
  expect(show({ pass: 'secret' })).toBe('an object');
  expect(show(['secret'])).toBe('an array');
  expect(show(() => 'secret')).toBe('a function');
  expect(show(Symbol('x'))).toBe('Symbol(x)');
});

test('a name close to a known one is guessed', () => {
  expect(suggestion('maxConections', ['maxConnections', 'maxMessages'])).toBe('; did you mean "maxConnections"?');
  expect(suggestion('colour', ['host', 'port'])).toBe('');
  expect(suggestion('x', [])).toBe('');
});

test('defaults stand where nothing, or undefined, is given', () => {
  expect(withDefaults({ a: 1, b: 2 }, { a: 5, b: undefined } as never)).toEqual({ a: 5, b: 2 });
  expect(withDefaults({ a: 1 }, undefined)).toEqual({ a: 1 });
  expect(withDefaults({ a: 1 }, { a: 0 })).toEqual({ a: 0 });
});
