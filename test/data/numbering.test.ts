import { describe, expect, it } from 'vitest';
import { Distinct } from '../../ts/data/distinct.js';
import { Numbering } from '../../ts/data/numbering.js';
import { Random } from '../../ts/data/random.js';
import { DataError } from '../../ts/errors.js';
import { atOnce } from '../../ts/turns.js';

/** Text of every kind, many of it more than once. */
function texts(count: number): string[] {
  const random = new Random(7);
  const alphabet = ['a', 'b', 'é', '\0', '\u{1f600}', '\ud800', '1', ' '];
  return Array.from({ length: count }, (_, i) => {
    const letters = Array.from({ length: random.below(6) }, () => alphabet[random.below(8)]);
    return i % 2 === 0 ? letters.join('') : String(random.below(count));
  });
}

describe('values numbered in the order of their first appearance', () => {
  const all = texts(50_000);
  const reference = new Map<string, number>();
  for (const text of all) if (!reference.has(text)) reference.set(text, reference.size);

  it('has the numbers of a Map', () => {
    const own = new Numbering();
    expect(own.find('a')).toBe(-1);
    expect(all.map((text) => own.add(text))).toEqual(all.map((text) => reference.get(text)));
    expect(own.size).toBe(reference.size);
    expect(own.values).toEqual([...reference.keys()]);
    expect(all.map((text) => own.find(text))).toEqual(all.map((text) => reference.get(text)));
    expect(['none', '-1', '1.0', 'aaaaaaa'].map((text) => own.find(text))).toEqual([
      -1, -1, -1, -1,
    ]);
  });

  it('finds values that have their numbers already, the first of equal ones', () => {
    const values = [...reference.keys()];
    const own = atOnce(Numbering.over(values));
    expect(own.values).toBe(values);
    expect(values.every((text, number) => own.find(text) === number)).toBe(true);
    expect(own.find('none')).toBe(-1);
    const twice = atOnce(Numbering.over(['b', 'a', 'b', 'c']));
    expect(['a', 'b', 'c'].map((text) => twice.find(text))).toEqual([1, 0, 3]);
    expect(atOnce(Numbering.over([])).find('')).toBe(-1);
  });

  it('tells values apart that have one hash', () => {
    // Found by search.
    const pairs = ['76mmiq', '2391dx', '1vakn1q', 'mu7er9', '1xkhn1r', '9v19fj'];
    const own = new Numbering();
    expect(own.find('2391dx')).toBe(-1);
    for (const first of [0, 2, 4]) own.add(pairs[first] as string);
    expect(own.find('2391dx')).toBe(-1);
    expect(pairs.map((text) => own.add(text))).toEqual([0, 3, 1, 4, 2, 5]);
    const over = atOnce(Numbering.over(pairs));
    expect(pairs.map((text) => over.find(text))).toEqual([0, 1, 2, 3, 4, 5]);
  });

  it('holds more than the 2^24 values of a Map', () => {
    const count = 2 ** 24 + 3;
    const own = new Numbering();
    for (let i = 0; i < count; i++) own.add(String(i));
    expect(own.size).toBe(count);
    for (let i = count - 1; i >= 0; i -= 999_983) expect(own.find(String(i))).toBe(i);
    expect(own.find(String(count))).toBe(-1);
  }, 120_000);

  it('refuses more values than it may hold', () => {
    const own = new Numbering(20);
    for (let i = 0; i < 20; i++) own.add(String(i));
    expect(own.add('7')).toBe(7);
    expect(() => own.add('20')).toThrow(DataError);
    expect(() => own.add('20')).toThrow(
      "more than 20 different values in one table of ids, '20' among them; expected fewer, or hashed ids (buckets)",
    );
    expect(own.find('20')).toBe(-1);
  });
});

describe('different codes', () => {
  it('come in the order of their first appearance, call by call', () => {
    const distinct = new Distinct(6);
    expect(distinct.of(Int32Array.of(3, 1, 3, 5, 1))).toEqual({
      values: Int32Array.of(3, 1, 5),
      places: Int32Array.of(0, 1, 0, 2, 1),
    });
    expect(distinct.of(Int32Array.of(5, 0))).toEqual({
      values: Int32Array.of(5, 0),
      places: Int32Array.of(0, 1),
    });
    expect(distinct.of(new Int32Array())).toEqual({
      values: new Int32Array(),
      places: new Int32Array(),
    });
  });
});
