import { z } from 'zod';
import { type Dataset, requireDataset } from '../data/dataset.js';
import { hasIds, tableOf } from '../data/features.js';
import type { Schema } from '../data/types.js';
import type { NativeCommand } from '../native/addon.js';
import { addon } from '../native/load.js';
import type { Model } from '../nn/model.js';
import { asModel, type BatchModule } from '../nn/module-model.js';
import { count, parse } from '../options.js';

const defaultBatchSize = 1024;

export interface ConflictOptions {
  /** Indices of the domains to compare; all by default. */
  readonly domains?: readonly number[] | undefined;
  /** Rows of a batch; 1024 by default. Larger ones are faster, smaller ones take less memory. */
  readonly batchSize?: number | undefined;
}

const conflictOptions = z.strictObject({
  domains: z.array(z.int()).optional(),
  batchSize: count.default(defaultBatchSize),
});

/** The buffers of all domains hold this many bytes at most: a sample of rows has to do beyond. */
const mostBytes = 256e6;

/** Ids that a row looks up in one table at most. */
function idsPerRow({ features }: Schema): number {
  const ids = new Map<string, number>();
  for (const feature of features.filter(hasIds)) {
    const own = feature.kind === 'multi-valued' ? feature.width : 1;
    ids.set(tableOf(feature), (ids.get(tableOf(feature)) ?? 0) + own);
  }
  return Math.max(1, ...ids.values());
}

/** Bytes that a row can add to a gradient buffer at most: rows of every table, with their places. */
function bytesPerRow(model: Model, schema: Schema): number {
  let bytes = 0;
  for (const parameter of model.collect().values()) {
    const { kind, shape } = parameter.spec();
    if (kind === 'table') bytes += 4 * (shape[1] ?? 1) + 16;
  }
  return bytes * idsPerRow(schema);
}

/** Training rows of a domain that gradientCosines takes at most when it compares so many domains. */
export function rowsCompared(
  model: Model,
  schema: Schema,
  domains: number,
  batchSize = defaultBatchSize,
): number {
  const rows = mostBytes / Math.max(1, domains * bytesPerRow(model, schema));
  return batchSize * Math.max(1, Math.floor(rows / batchSize));
}

/**
 * How the gradients of the domains' training losses agree: the cosine of each pair, [domains x domains], at the
 * model's shared values and over all of its parameters. Below 0 two domains are in conflict (Yu et al.
 * 2020, definition 1). Dropout is off: its noise would make gradients look apart. Of domains so large that their buffers would hold more than 256 MB a random
 * sample of rows is taken. NaN where a gradient is zero. Throws ConfigError, BusyError.
 */
export async function gradientCosines(
  module: BatchModule,
  data: Dataset,
  options: ConflictOptions = {},
): Promise<number[][]> {
  requireDataset(data);
  const { domains = [...data.schema.domains.keys()], batchSize } = parse(
    conflictOptions,
    options,
    'gradientCosines',
  );
  const model = asModel(module, data.schema);
  model.requireSchema(data.schema);
  const compiled = model.compile();
  const { graph, output, space } = compiled;
  const { loss } = data.weighted ? compiled.weighted : compiled;
  const session = new (addon().Session)(space, { batchSize, seed: 0 });
  try {
    session.addSplit(data.train);
    const program = session.addGradientProgram(graph, output, loss, ['all'], false);
    const maxSteps = rowsCompared(model, data.schema, domains.length, batchSize) / batchSize;
    await session.run([{ kind: 'mark', target: 0 }]);
    try {
      await session.run(
        domains.flatMap((domain, target): NativeCommand[] => [
          { kind: 'bufferZero', target },
          { kind: 'run', program, domain, target, rate: 1, byRows: true, maxSteps },
        ]),
      );
    } finally {
      // Passes move the running averages of batch normalisation.
      await session.run([
        { kind: 'restore', target: 0, untrained: true },
        { kind: 'release', target: 0 },
      ]);
    }
    const dots: number[][] = [];
    for (const target of domains.keys()) {
      const { value } = await session.run(
        Array.from({ length: target + 1 }, (_, other) => ({ kind: 'bufferDot', target, other })),
      );
      dots.push([...value]);
    }
    const dot = (a: number, b: number): number => dots[Math.max(a, b)]?.[Math.min(a, b)] as number;
    return dots.map((_, a) =>
      dots.map((_, b) =>
        a === b && dot(a, a) > 0 ? 1 : dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b)),
      ),
    );
  } finally {
    session.dispose();
  }
}
