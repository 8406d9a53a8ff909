import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CheckpointError } from '../errors.js';
import { writeFileAtomic } from '../io/atomic.js';
import { readTensors, writeTensors } from '../io/safetensors.js';
import { comparisonReport } from '../report/comparison.js';
import type { ReportData } from '../report/data.js';
import { page } from '../report/page.js';
import { csvOf } from './csv.js';
import { isOf, type Job, prefixOf, type RunRecord } from './job.js';
import type { Comparison } from './result.js';

/** JSON of many lines, but lists of numbers on one. */
function readable(content: unknown): string {
  // Only between lists' elements has JSON line breaks: none of this is inside a text.
  const lists = /\[\n\s*(?:-?\d[\d.e+-]*|null)(?:,\n\s*(?:-?\d[\d.e+-]*|null))*\n\s*\]/g;
  return JSON.stringify(content, null, 1).replace(lists, (list) =>
    list.replace(/\s+/g, '').replaceAll(',', ', '),
  );
}

/** JSON; null for text that a killed process left unfinished. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** Where the files of a comparison lie. */
export class CompareFolder {
  constructor(readonly path: string) {}

  /** The prepared dataset that all runs read. */
  get dataset(): string {
    return join(this.path, 'dataset');
  }

  /** What the dataset was prepared of. */
  get source(): string {
    return join(this.path, 'source.json');
  }

  get runs(): string {
    return join(this.path, 'runs');
  }

  get scores(): string {
    return join(this.path, 'scores');
  }

  /** The run folder of a run that is not finished. */
  unfinished(job: Job): string {
    return join(this.path, 'unfinished', job.name);
  }

  runFile(job: Job): string {
    return join(this.runs, `${job.name}.json`);
  }

  #scoresFile(name: string): string {
    return join(this.scores, `${name}.safetensors`);
  }

  async writeScores(job: Job, scores: Float32Array): Promise<void> {
    await writeTensors(this.#scoresFile(job.name), new Map([['test', scores]]));
  }

  /** Probabilities of the test rows of a finished run; undefined where they are not there. */
  async readScores(job: Job, rows: number): Promise<Float32Array | undefined> {
    const tensors = await readTensors(this.#scoresFile(job.name)).catch(() => undefined);
    const scores = tensors?.get('test');
    return scores instanceof Float32Array && scores.length === rows ? scores : undefined;
  }

  async writeRun(job: Job, record: RunRecord): Promise<void> {
    await writeFileAtomic(this.runFile(job), `${readable(record)}\n`);
  }

  /** The record of the finished run of a job, and the name of its files. */
  async readRun(
    job: Job,
  ): Promise<{ readonly record: RunRecord; readonly name: string } | undefined> {
    const prefix = prefixOf(job.entry, job.seed);
    const files = await readdir(this.runs).catch(() => []);
    for (const file of files
      .filter((own) => own.startsWith(prefix) && own.endsWith('.json'))
      .sort()) {
      const text = await readFile(join(this.runs, file), 'utf8').catch(() => 'null');
      const record = parsed(text) as RunRecord | null;
      if (record && isOf(record, job)) return { record, name: file.slice(0, -'.json'.length) };
    }
    return undefined;
  }

  /** compare.json as it is; undefined where there is none. Throws CheckpointError. */
  async readComparison(): Promise<Comparison | undefined> {
    const path = join(this.path, 'compare.json');
    if (!existsSync(path)) return undefined;
    const fail = (why: string, cause?: unknown): never => {
      throw new CheckpointError(`'${path}' ${why}; expected the result of a comparison`, { cause });
    };
    try {
      const comparison = JSON.parse(await readFile(path, 'utf8')) as Comparison;
      const { format, version } = comparison;
      if (format === 'polydomain-compare' && version === 1) return comparison;
      return fail(`is of format '${format}', version ${version}`);
    } catch (cause) {
      if (cause instanceof CheckpointError) throw cause;
      return fail(`cannot be read (${(cause as Error).message})`, cause);
    }
  }

  /** What a page shows of a comparison; runs whose records are missing have no curves. */
  async report(comparison: Comparison): Promise<ReportData> {
    const files = comparison.entries.flatMap(({ runs }) => runs.map(({ file }) => file));
    const records = new Map<string, RunRecord>();
    for (const file of files) {
      const text = await readFile(join(this.path, file), 'utf8').catch(() => undefined);
      if (text !== undefined) records.set(file, JSON.parse(text) as RunRecord);
    }
    return comparisonReport(comparison, records);
  }

  /** compare.json, compare.csv and report.html. */
  async writeComparison(comparison: Comparison): Promise<void> {
    const write = (name: string, text: string): Promise<void> =>
      writeFileAtomic(join(this.path, name), text);
    await write('compare.json', `${readable(comparison)}\n`);
    await write('compare.csv', csvOf(comparison));
    await write('report.html', await page(await this.report(comparison)));
  }
}
