import type { Peer } from './peer.js';
import type { Shape } from './shapes.js';
import { rounded } from './statistics.js';
import type { Undisturbed } from './undisturbed.js';

/** What a step or a scored batch takes at least on this machine, and what that follows from. */
export interface Floor {
  /** Of a large product, by library. */
  readonly gemmGflops: Readonly<Record<string, number>>;
  /** Rate at which random rows are read and written back, both directions counted. */
  readonly rowGigabytesPerSecond: number;
  readonly train: Least;
  readonly score: Least;
}

export interface Least {
  readonly flops: number;
  readonly bytes: number;
  readonly milliseconds: number;
}

const matmulSize = 1024;
const matmulRepeats = 15;
const rowRepeats = 5;

/**
 * Multiply-adds of the layers for one row. The domain is the same in the whole batch: its part of the first
 * layer is one row's work, which is left out.
 */
function multiplyAdds({ embedding, hidden }: Shape): number {
  let width = 2 * embedding;
  let sum = 0;
  for (const size of [...hidden, 1]) {
    sum += width * size;
    width = size;
  }
  return sum;
}

/** Floats of the rows of users and items that a batch reads. They are all different but for a few. */
function rowFloats({ embedding, batch }: Shape): number {
  return 2 * batch * embedding;
}

/** Measures the rates of products (best of ours and PyTorch's, with oneDNN's) and of random rows (PyTorch's). */
export async function measureFloor(
  shape: Shape,
  ours: Peer,
  pytorch: Peer,
  undisturbed: Undisturbed,
): Promise<Floor> {
  const gemmGflops: Record<string, number> = {};
  const gflops = (seconds: number): number => rounded((2 * matmulSize ** 3) / seconds / 1e9);
  const options = { size: matmulSize, repeats: matmulRepeats };
  for (const side of [ours, pytorch]) {
    const { answer } = await undisturbed.run(() =>
      side.ask<{ seconds: number; onednnSeconds?: number }>('matmul', options),
    );
    gemmGflops[side.name] = gflops(answer.seconds);
    if (answer.onednnSeconds !== undefined) gemmGflops.oneDNN = gflops(answer.onednnSeconds);
  }
  const { embedding: dim, users, items } = shape;
  const { answer } = await undisturbed.run(() =>
    pytorch.ask<{ seconds: number }>('rows', {
      tableRows: users + items,
      dim,
      rows: 4096,
      repeats: rowRepeats,
    }),
  );
  const rowGigabytesPerSecond = rounded((2 * dim * 4) / answer.seconds / 1e9);
  const least = (flops: number, bytes: number): Least => ({
    flops,
    bytes,
    milliseconds: rounded(
      flops / Math.max(...Object.values(gemmGflops)) / 1e6 + bytes / rowGigabytesPerSecond / 1e6,
    ),
  });
  const forward = 2 * shape.batch * multiplyAdds(shape);
  return {
    gemmGflops,
    rowGigabytesPerSecond,
    // Backward: to the weights and to the inputs. Weight and both moments are read and written, the gradient
    // is read.
    train: least(3 * forward, 7 * 4 * rowFloats(shape)),
    score: least(forward, 4 * rowFloats(shape)),
  };
}
