import { expect, it } from 'vitest';
import { Batcher } from '../../ts/serve/batcher.js';

/** Doubles the first column once it is let go; notes how many rows it was given each time. */
function doubling(): { batcher: Batcher; sizes: number[]; release(error?: Error): void } {
  const sizes: number[] = [];
  const waiting: ((error?: Error) => void)[] = [];
  const batcher = new Batcher(([values], rows) => {
    sizes.push(rows);
    return new Promise((resolve, reject) => {
      waiting.push((error) =>
        error ? reject(error) : resolve(Float32Array.from(values as Float32Array, (v) => 2 * v)),
      );
    });
  });
  return { batcher, sizes, release: (error) => waiting.shift()?.(error) };
}

const column = (...values: number[]): [Float32Array] => [Float32Array.from(values)];
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

it('scores at once, and what comes meanwhile together; everybody gets their own', async () => {
  const { batcher, sizes, release } = doubling();
  const first = batcher.predict(column(1), 1);
  expect(sizes).toEqual([1]);
  const second = batcher.predict(column(2, 3), 2);
  const third = batcher.predict(column(4), 1);
  release();
  expect(await first).toEqual(Float32Array.of(2));
  await turn();
  expect(sizes).toEqual([1, 3]);
  release();
  expect(await second).toEqual(Float32Array.of(4, 6));
  expect(await third).toEqual(Float32Array.of(8));
});

it('lets large calls by, and keeps batches small', async () => {
  const { batcher, sizes, release } = doubling();
  const rows = [1, 600, 600, 5, 5000];
  const calls = rows.map((count) => batcher.predict([new Float32Array(count).fill(count)], count));
  expect(sizes).toEqual([1, 5000]);
  for (let i = 0; i < 4; i++) {
    release();
    await turn();
  }
  expect(sizes).toEqual([1, 5000, 1200, 5]);
  for (const [i, count] of rows.entries()) {
    expect(await calls[i]).toEqual(new Float32Array(count).fill(2 * count));
  }
});

it('tells everybody of a batch what is wrong, and goes on', async () => {
  const { batcher, release } = doubling();
  const first = batcher.predict(column(1), 1);
  const others = [2, 3].map((value) => batcher.predict(column(value), 1));
  const settled = Promise.allSettled([first, ...others]);
  release(new Error('busy'));
  await turn();
  release(new Error('gone'));
  expect(await settled).toMatchObject(
    ['busy', 'gone', 'gone'].map((message) => ({ status: 'rejected', reason: { message } })),
  );
  const later = batcher.predict(column(5), 1);
  release();
  expect(await later).toEqual(Float32Array.of(10));
});
