import { Random } from '../ts/data/random.js';
import { Dataset, type Model, models } from '../ts/index.js';
import { userItemSchema } from './user-item-schema.js';

/** Three domains whose label depends on user and item, with an item effect of the domain's own. */
export function toyData(rowsPerDomain: readonly number[] = [300, 200, 60]): Dataset {
  const random = new Random(7);
  const users = 40;
  const items = 30;
  const part = (shares: number) => {
    const counts = rowsPerDomain.map((rows) => Math.round(rows * shares));
    const total = counts.reduce((sum, count) => sum + count, 0);
    const ids = [new Int32Array(total), new Int32Array(total)] as const;
    const labels = new Float32Array(total);
    const domainOffsets = new Int32Array(counts.length + 1);
    let row = 0;
    counts.forEach((count, d) => {
      for (let i = 0; i < count; i++, row++) {
        const user = 1 + random.below(users - 1);
        const item = 1 + random.below(items - 1);
        ids[0][row] = user;
        ids[1][row] = item;
        labels[row] = (user * 3 + item * (d + 1)) % 7 < 3 ? 1 : 0;
      }
      domainOffsets[d + 1] = row;
    });
    return { rows: total, ids, labels, domainOffsets };
  };
  const names = (count: number) => Array.from({ length: count - 1 }, (_, i) => `v${i + 1}`);
  return Dataset.of(
    userItemSchema(
      users,
      items,
      rowsPerDomain.map((_, d) => `d${d}`),
    ),
    [names(users), names(items)],
    [part(1), part(0.3), part(0.3)],
  );
}

export function toyModel(data: Dataset, dropout = 0.3) {
  return models.mlp({ schema: data.schema, embeddingDim: 8, hidden: [16, 8], dropout, seed: 3 });
}

/** Every shared parameter's bits. */
export function bitsOf(model: Pick<Model, 'parameters'>): string {
  return [...model.parameters()]
    .map(
      ([name, { data }]) =>
        `${name}:${Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('base64')}`,
    )
    .join('\n');
}
