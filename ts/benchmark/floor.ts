import type { Peer } from './peer.js';
import type { Shape } from './shapes.js';
import { rounded } from './statistics.js';
import type { Undisturbed } from './undisturbed.js';

/** What this machine can do at most. */
export interface Rates {
  /** Of a large product, by library. */
  readonly gemmGflops: Readonly<Record<string, number>>;
  /** Rate at which random rows are read and written back, both directions counted. */
  readonly rowGigabytesPerSecond: number;
}

/** What a step or a scored batch takes at least on this machine, and what that follows from. */
export interface Floor extends Rates {
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
export async function measureRates(
  { tableRows, dim }: { readonly tableRows: number; readonly dim: number },
  ours: Peer,
  pytorch: Peer,
  undisturbed: Undisturbed,
): Promise<Rates> {
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
  const rows = { tableRows, dim, rows: 4096, repeats: rowRepeats };
  const { answer } = await undisturbed.run(() => pytorch.ask<{ seconds: number }>('rows', rows));
  return { gemmGflops, rowGigabytesPerSecond: rounded((2 * dim * 4) / answer.seconds / 1e9) };
}

/** What these operations of products and bytes of random rows take at these rates. */
export function leastOf(
  { gemmGflops, rowGigabytesPerSecond }: Rates,
  flops: number,
  bytes: number,
): Least {
  const products = flops / Math.max(...Object.values(gemmGflops)) / 1e6;
  return { flops, bytes, milliseconds: rounded(products + bytes / rowGigabytesPerSecond / 1e6) };
}

export async function measureFloor(
  shape: Shape,
  ours: Peer,
  pytorch: Peer,
  undisturbed: Undisturbed,
): Promise<Floor> {
  const { embedding: dim, users, items } = shape;
  const rates = await measureRates({ tableRows: users + items, dim }, ours, pytorch, undisturbed);
  const forward = 2 * shape.batch * multiplyAdds(shape);
  return {
    ...rates,
    // Backward: to the weights and to the inputs. Weight and both moments are read and written, the gradient
    // is read.
    train: leastOf(rates, 3 * forward, 7 * 4 * rowFloats(shape)),
    score: leastOf(rates, forward, 4 * rowFloats(shape)),
  };
}
