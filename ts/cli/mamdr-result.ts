import { join } from 'node:path';
import type { Dataset } from '../data/dataset.js';
import { hasIds } from '../data/features.js';
import { mamdrProperty } from '../data/mamdr.js';
import { splitNames } from '../data/types.js';
import { writeJsonAtomic } from '../io/atomic.js';
import type { SplitMetrics } from '../metrics/index.js';

/** result.json and dataset_info.json as MAMDR's public code writes them: domains by their number. */
export async function writeMamdrResult(
  folder: string,
  source: string,
  data: Dataset,
  { auc, loss }: SplitMetrics,
): Promise<void> {
  const { domains, features } = data.schema;
  const numbered = <Value>(of: (name: string, domain: number) => Value) =>
    Object.fromEntries(domains.map((name, domain) => [domain, of(name, domain)]));
  await writeJsonAtomic(join(folder, 'result.json'), {
    avg_loss: loss.mean,
    avg_auc: auc.mean,
    domain_loss: numbered((name) => loss.byDomain[name]),
    domain_auc: numbered((name) => auc.byDomain[name]),
  });
  const [train, validation, test] = splitNames.map((name) => data.split(name));
  const rowsOf = (split: typeof train, domain: number): number => {
    const offsets = split?.domainOffsets ?? [];
    return (offsets[domain + 1] ?? 0) - (offsets[domain] ?? 0);
  };
  // One id of each feature stands for what training has not seen.
  const sizes = new Map(features.filter(hasIds).map(({ name, size }) => [name, size - 1]));
  await writeJsonAtomic(join(folder, 'dataset_info.json'), {
    n_user: sizes.get('uid'),
    n_item: sizes.get('pid'),
    ...numbered((_, domain) => ({
      n_train: rowsOf(train, domain),
      n_val: rowsOf(validation, domain),
      n_test: rowsOf(test, domain),
      ctr_ratio: mamdrProperty(source, domain)?.ctr_ratio ?? null,
    })),
    total_train: train?.rows,
    total_val: validation?.rows,
    total_test: test?.rows,
  });
}
