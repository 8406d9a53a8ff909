import { describe, expect, it } from 'vitest';
import { Random } from '../../ts/data/random.js';

describe('shuffled values', () => {
  it.each([0, 1, 2, 3, 1000])('%i of them are put back where they were', (count) => {
    const [first, second] = [new Random(5), new Random(5)];
    const whole = Array.from({ length: count }, (_, i) => i);
    const values = [...whole];
    first.shuffle(values);
    if (count === 1000) expect(values).not.toEqual(whole);
    second.unshuffle(values);
    expect(values).toEqual(whole);
    // As many numbers are drawn.
    expect(second.next()).toBe(first.next());
  });
});
