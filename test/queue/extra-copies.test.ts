import { expect, test } from 'vitest';
import { problemsOf, reasonFor, type Happened } from './extra-copies.js';
import type { Accepted } from './unreliable-server.js';

const at = (order: number): { at: number; ms: number } => ({ at: order, ms: order * 1000 });
const copyOf = (by: string, order: number): Accepted => ({ id: 'one', by, ...at(order) });

const nothing: Happened = {
  killed: new Map(),
  frozen: new Map(),
  disturbances: [],
  late: new Map(),
  committed: new Map(),
};

const late = (by: string, order: number): Partial<Happened> => ({ late: new Map([['one', [{ by, at: order }]]]) });
const killed = (by: string, order: number): Partial<Happened> => ({ killed: new Map([[by, at(order)]]) });

test.each<[string, Partial<Happened>, string]>([
  ['nothing befell anybody', {}, 'unexplained'],
  ['the first was killed', killed('first', 11), 'killed'],
  ['the first was killed too long after its 250', killed('first', 19), 'unexplained'],
  ['the first was killed after the copy', killed('first', 21), 'unexplained'],
  ['the second was killed', killed('second', 21), 'unexplained'],
  ['the first was stopped', { frozen: new Map([['first', at(11)]]) }, 'frozen'],
  ['the second was stopped before', { frozen: new Map([['second', at(5)]]) }, 'frozen'],
  ['a third was stopped', { frozen: new Map([['third', at(5)]]) }, 'unexplained'],
  ['the server was restarted between', { disturbances: [at(15)] }, 'disturbed'],
  ['the server was restarted before', { disturbances: [at(5)] }, 'unexplained'],
  ['the first said that it was late', late('first', 25), 'late'],
  ['the first had said so of an earlier claim', late('first', 9), 'unexplained'],
  ['the second said that it was late', late('second', 21), 'late'],
  ['the second had said so of an earlier claim', late('second', 15), 'unexplained'],
  ['a third said so', late('third', 25), 'unexplained'],
  ['the first said that it was late, and was killed', { ...late('first', 11), ...killed('first', 12) }, 'late'],
  [
    'the first was killed, and the second was late later on',
    { ...killed('first', 11), ...late('second', 30) },
    'killed',
  ],
])('a copy came again: %s', (_, happened, reason) => {
  const problems = problemsOf(copyOf('first', 10), copyOf('second', 20), { ...nothing, ...happened });
  expect(reasonFor(copyOf('first', 10), copyOf('second', 20), { ...nothing, ...happened })).toBe(reason);
  expect(problems).toEqual(reason === 'unexplained' ? ['one came again from second, though nothing befell first'] : []);
});

test.each<[string, Partial<Happened>, boolean]>([
  ['by who had to know', killed('first', 11), true],
  ['though the first was late', late('first', 11), true],
  ['by who was stopped with it', { frozen: new Map([['second', at(5)]]) }, false],
  ['by who had it before, slower than its lease', late('second', 21), false],
])('a copy came after the commit, %s', (_, happened, isProblem) => {
  const all = { ...nothing, ...happened, committed: new Map([['one', 15]]) };
  const problems = problemsOf(copyOf('first', 10), copyOf('second', 20), all);
  expect(problems).toEqual(isProblem ? ['one came again from second after its delivery was committed'] : []);
});
