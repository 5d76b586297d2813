import { expect, test } from 'vitest';
import { Problems, RouteConfigError } from '../../src/core/config-error.js';

test('is a TypeError with a code, and names every problem', () => {
  const error = new RouteConfigError('Deliverer', [
    { path: 'routes', message: 'is missing' },
    { path: 'clock', message: 'must be a clock' },
  ]);
  expect(error).toBeInstanceOf(TypeError);
  expect(error.name).toBe('RouteConfigError');
  expect(error.code).toBe('ERR_SMTP_ROUTES_CONFIG');
  expect(error.message).toBe('Deliverer: 2 problems\n  routes: is missing\n  clock: must be a clock');
  expect(new RouteConfigError('x', [{ path: 'a', message: 'b' }]).message).toBe('x: 1 problem\n  a: b');
});

test('is thrown only if there is a problem', () => {
  const problems = new Problems();
  problems.throwIfAny('x');
  problems.add('a', 'b');
  expect(problems.count).toBe(1);
  expect(() => {
    problems.throwIfAny('x');
  }).toThrow(RouteConfigError);
});
