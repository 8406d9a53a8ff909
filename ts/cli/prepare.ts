import { existsSync } from 'node:fs';
import { Dataset } from '../data/dataset.js';
import { hasIds } from '../data/features.js';
import { countLabels } from '../data/folder.js';
import { type SplitName, splitNames } from '../data/types.js';
import { ConfigError } from '../errors.js';
import { idsOf, type RunConfig, sourceOf } from './config.js';
import { table } from './table.js';

/** The document of `prepare --json`. */
export interface PrepareReport {
  readonly output: string;
  /** Ids per feature that has any, the unknown one included. */
  readonly features: Readonly<Record<string, number>>;
  /** Rows by part, and the share of positives among all of them; 0 where there are none. */
  readonly domains: Readonly<Record<string, Readonly<Record<SplitName | 'positives', number>>>>;
}

/** Turns the raw data of a config into a dataset folder, which configs then name as source. */
export async function prepareFolder(config: RunConfig, output: string): Promise<PrepareReport> {
  if (existsSync(output)) throw new ConfigError(`'${output}' exists; expected a new folder`);
  const source = sourceOf(config.data);
  const ids = await idsOf(config);
  if (typeof source === 'string' || !('domain' in source)) {
    const data = await Dataset.open(source);
    await (ids.continuing ? data.continuing(ids.continuing, ids.evict) : data).save(output);
  } else {
    await Dataset.prepare(source, output, ids);
  }
  const { features, domains } = (await Dataset.open({ source: output, dataBudget: 0 })).schema;
  const counts = await countLabels(output);
  const statistics = domains.map((name, d) => {
    const rows = counts.map((part) => part[d]?.rows as number);
    const positives = counts.reduce((sum, part) => sum + (part[d]?.positives as number), 0);
    const [train = 0, validation = 0, test = 0] = rows;
    const all = train + validation + test;
    return [name, { train, validation, test, positives: positives / Math.max(1, all) }] as const;
  });
  return {
    output,
    features: Object.fromEntries(features.filter(hasIds).map(({ name, size }) => [name, size])),
    domains: Object.fromEntries(statistics),
  };
}

/** The report as a table for people. */
export function prepareTable({ output, features, domains }: PrepareReport): string {
  const rows = Object.entries(domains).map(([name, { train, validation, test, positives }]) => [
    name,
    ...[train, validation, test].map(String),
    `${(100 * positives).toFixed(1)}%`,
  ]);
  const ids = Object.entries(features).map(([name, size]) => `${name}: ${size} ids\n`);
  return `${table([['domain', ...splitNames, 'positives'], ...rows])}${ids.join('')}Dataset folder: ${output}\n`;
}
