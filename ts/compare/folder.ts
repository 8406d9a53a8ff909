import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { writeFileAtomic } from '../io/atomic.js';
import { readTensors, writeTensors } from '../io/safetensors.js';
import { type Job, type RunRecord, runFormat } from './job.js';
import type { Comparison } from './result.js';

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
    await writeFileAtomic(this.runFile(job), `${JSON.stringify(record, null, 1)}\n`);
  }

  /** The record of a finished run with the job's fingerprint. */
  async readRun(job: Job): Promise<RunRecord | undefined> {
    try {
      const record = JSON.parse(await readFile(this.runFile(job), 'utf8')) as RunRecord;
      const same = record.format === runFormat && record.fingerprint === job.fingerprint;
      return same ? record : undefined;
    } catch {
      return undefined;
    }
  }

  /** compare.json as it is, if it is there. */
  async readComparison(): Promise<Comparison | undefined> {
    try {
      return JSON.parse(await readFile(join(this.path, 'compare.json'), 'utf8')) as Comparison;
    } catch {
      return undefined;
    }
  }

  async writeComparison(comparison: Comparison): Promise<void> {
    const text = `${JSON.stringify(comparison, null, 1)}\n`;
    await writeFileAtomic(join(this.path, 'compare.json'), text);
  }

  /** Digest of the prepared dataset's files. */
  async digest(): Promise<string> {
    const hash = createHash('sha256');
    for (const name of (await readdir(this.dataset)).sort()) {
      hash.update(name);
      await pipeline(createReadStream(join(this.dataset, name)), hash, { end: false });
    }
    return hash.digest('hex');
  }
}
