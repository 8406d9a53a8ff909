import { existsSync } from 'node:fs';
import { Dataset } from '../data/dataset.js';
import { hasIds } from '../data/features.js';
import { type SplitName, splitNames } from '../data/types.js';
import { ConfigError } from '../errors.js';
import { type RunConfig, sourceOf } from './config.js';
import { table } from './table.js';

/** The document of `prepare --json`. */
export interface PrepareReport {
  readonly output: string;
  /** Ids per feature that has any, the unknown one included. */
  readonly features: Readonly<Record<string, number>>;
  /** Rows by part, and the share of positives among all of them. */
  readonly domains: Readonly<Record<string, Readonly<Record<SplitName | 'positives', number>>>>;
}

/** Turns the raw data of a config into a dataset folder, which configs then name as source. */
export async function prepareFolder(config: RunConfig, output: string): Promise<PrepareReport> {
  if (existsSync(output)) throw new ConfigError(`'${output}' exists; expected a new folder`);
  const data = await Dataset.open(sourceOf(config.data));
  await data.save(output);
  const { features, domains } = data.schema;
  const statistics = domains.map((name, d) => {
    let rows = 0;
    let positives = 0;
    const counts = splitNames.map((part) => {
      const { domainOffsets, labels } = data.split(part);
      const own = labels.subarray(domainOffsets[d], domainOffsets[d + 1]);
      rows += own.length;
      positives += own.reduce((sum, label) => sum + label, 0);
      return own.length;
    });
    const [train = 0, validation = 0, test = 0] = counts;
    return [name, { train, validation, test, positives: positives / rows }] as const;
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
