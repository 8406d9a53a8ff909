import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { CheckpointError } from '../errors.js';
import { makeFolder, writeFileAtomic } from '../io/atomic.js';
import type { NativeInterruption, NativeSession } from '../native/addon.js';
import { parse } from '../options.js';
import type { EpochRecord } from './events.js';
import type { FinishedStage } from './result.js';

const format = 'polydomain-checkpoint';
const version = 1;

/** Where a run stands, beside the native state. */
export interface Progress {
  /** Index of the stage, and its epoch. */
  readonly stage: number;
  readonly epoch: number;
  /** Of this epoch: commands done, where inside the next one, sums of loss and rows so far. */
  readonly commandsDone: number;
  readonly interruption?: NativeInterruption | undefined;
  readonly losses: readonly [number, number];
  readonly history: readonly EpochRecord[];
  readonly best: { readonly epoch: number; readonly score: number } | null;
  readonly finished: readonly FinishedStage[];
  /** Parameters that have a slot per domain by now (see Model.splitHeads). */
  readonly split: readonly string[];
}

const index = z.int().gte(0);
/** What progress.json holds. */
const storedProgress = z
  .object({
    format: z.literal(format),
    version: z.literal(version),
    fingerprint: z.string(),
    simd: z.string(),
    native: z.string(),
    stage: index,
    epoch: index,
    commandsDone: index,
    interruption: z.object({ step: index, lossSum: z.number(), rows: index }).optional(),
    losses: z.tuple([z.number(), z.number()]),
    history: z.array(
      z.object({
        stage: z.string(),
        epoch: index,
        loss: z.number(),
        validationAuc: z.number().nullable(),
      }),
    ),
    best: z.object({ epoch: index, score: z.number() }).nullable(),
    finished: z.array(
      z.custom<FinishedStage>(
        (own) => index.safeParse((own as FinishedStage | null)?.bestEpoch).success,
        'expected the record of a stage',
      ),
    ),
    split: z.array(z.string()).default([]),
  })
  .refine(({ stage, finished }) => finished.length === stage, {
    path: ['finished'],
    message: 'expected a record of each stage before',
  });
type Stored = z.output<typeof storedProgress>;

/** Whether a run folder has a checkpoint. */
export function checkpointIn(runFolder: string): boolean {
  return existsSync(join(runFolder, 'checkpoints', 'progress.json'));
}

/**
 * What a model has to be split into before a run folder's checkpoint fits it; nothing without a
 * checkpoint that can be read: loading it tells why.
 */
export async function splitIn(runFolder: string): Promise<readonly string[]> {
  try {
    const text = await readFile(join(runFolder, 'checkpoints', 'progress.json'), 'utf8');
    return storedProgress.parse(JSON.parse(text)).split;
  } catch {
    return [];
  }
}

/** A run's checkpoints: progress.json and the native state that it names. */
export class Checkpoints {
  /** Two native files take turns, so that the one that progress.json names is never written to. */
  #turn = 0;

  constructor(
    readonly folder: string,
    /** Tells runs apart whose states must not be mixed. */
    private readonly fingerprint: string,
    private readonly simd: string,
  ) {}

  get exist(): boolean {
    return existsSync(this.#path);
  }

  get #path(): string {
    return join(this.folder, 'progress.json');
  }

  /** Writes both, whole or not at all; returns the path of progress.json. */
  async save(session: NativeSession, progress: Progress): Promise<string> {
    await makeFolder(this.folder);
    this.#turn = 1 - this.#turn;
    const native = `state-${this.#turn}.bin`;
    await session.save(join(this.folder, native));
    const { fingerprint, simd } = this;
    const stored = { format, version, fingerprint, simd, native, ...progress };
    await writeFileAtomic(this.#path, `${JSON.stringify(stored)}\n`);
    return this.#path;
  }

  /** Throws CheckpointError for what is damaged, or belongs to another run. */
  async load(session: NativeSession): Promise<Progress & { readonly simd: string }> {
    const path = this.#path;
    let stored: Stored;
    try {
      stored = parse(storedProgress, JSON.parse(await readFile(path, 'utf8')), '');
    } catch (cause) {
      throw new CheckpointError(
        `'${path}' cannot be read (${(cause as Error).message}); expected the checkpoint of a run`,
        { cause },
      );
    }
    if (stored.fingerprint !== this.fingerprint) {
      throw new CheckpointError(
        `'${path}' belongs to another run; expected the same model, strategy, optimizer, batch size, seed and data`,
      );
    }
    await session.load(join(this.folder, stored.native));
    this.#turn = stored.native === 'state-1.bin' ? 1 : 0;
    return stored;
  }
}
