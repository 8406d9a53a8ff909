import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { z } from 'zod';
import { checkVocabularies } from '../data/check.js';
import { schemaShape } from '../data/schema.js';
import { checkUsage, storedUsage } from '../data/usage.js';
import { Vocabulary } from '../data/vocabulary.js';
import { CheckpointError, ConfigError } from '../errors.js';
import { type ModelMaker, modelMakers } from '../models/registry.js';
import type { OverlayEntries } from '../native/addon.js';
import { suggest } from '../nearest.js';
import type { Model } from '../nn/model.js';
import { asModel } from '../nn/module-model.js';
import { folderPath, parse } from '../options.js';
import { Predictor } from '../serve/predictor.js';
import { elementCount } from '../tensor/shape.js';
import { overlayBudget } from '../train/options.js';
import { makeFolder, writeJsonAtomic } from './atomic.js';
import { readTensors, type Streamed, TensorFile, writeTensors } from './safetensors.js';
import { hasVocabulary, readVocabulary, writeVocabulary } from './vocabulary-file.js';

const format = 'polydomain-model';
const version = 1;

const storedModel = z.object({
  format: z.literal(format),
  version: z.literal(version),
  name: z.string(),
  options: z.record(z.string(), z.unknown()),
  /** Of the parameters' start; also of specific values that start at random. */
  seed: z.int().gte(0),
  schema: schemaShape,
  /** Parameters with a slot per domain that the model's options do not tell of. */
  split: z.array(z.string()).default([]),
  overlays: z
    .object({
      combine: z.enum(['plus', 'times', 'replace']),
      start: z.enum(['neutral', 'random']),
      specific: z.array(z.string()),
    })
    .nullable(),
});

/** In vocabulary.json of older folders. */
const olderVocabulary = z.object({
  format: z.literal('polydomain-vocabulary'),
  version: z.literal(1),
  values: z.array(z.array(z.string())),
  usage: storedUsage.exactOptional(),
});

/** Values of domains that are read from a file at a time. */
const valuesAtOnce = 2 ** 20;

/** Of the specific values of a parameter. */
function specificFile(folder: string, parameter: string): string {
  return join(folder, 'specific', `${encodeURIComponent(parameter)}.safetensors`);
}

/**
 * Writes what load() needs: weights, the domains' own values, vocabulary and, last, model.json, so
 * that a folder that has it is complete. Throws CheckpointError.
 */
export async function saveModel(folder: string, { model, vocabulary }: Predictor): Promise<void> {
  const description = model.description();
  await makeFolder(folder);
  const parameters = model.readParameters();
  await writeTensors(join(folder, 'model.safetensors'), parameters);
  const { schema } = vocabulary;
  const overlays = model.overlays ?? null;
  if (overlays) {
    await makeFolder(join(folder, 'specific'));
    for (const name of parameters.keys()) {
      await saveSpecific(specificFile(folder, name), model, name, schema.domains.length);
    }
  }
  await writeVocabulary(folder, vocabulary);
  const { seed, split } = model;
  const stored = { format, version, ...description, seed, schema, split, overlays };
  await writeJsonAtomic(join(folder, 'model.json'), stored);
}

/**
 * Rows of all domains one after another, with offsets by domain: compressed sparse rows. They are
 * read while they are written, so that no more than one domain's are copied at a time.
 */
async function saveSpecific(
  path: string,
  model: Model,
  name: string,
  domains: number,
): Promise<void> {
  const { space } = model.compile();
  const offsets = new Int32Array(domains + 1);
  for (let d = 0; d < domains; d++) {
    offsets[d + 1] = (offsets[d] as number) + space.overlayUnits(d, name).length;
    // Other work has its turn.
    if (d % 1000 === 999) await setImmediate();
  }
  const units = offsets[domains] as number;
  const ofEach = function* <Values>(values: (domain: number) => Values): Generator<Values> {
    for (let d = 0; d < domains; d++) if (offsets[d] !== offsets[d + 1]) yield values(d);
  };
  await writeTensors(
    path,
    new Map<string, Int32Array | Streamed>([
      ['offsets', offsets],
      [
        'units',
        { dtype: 'U32', shape: [units], pieces: () => ofEach((d) => space.overlayUnits(d, name)) },
      ],
      [
        'values',
        {
          dtype: 'F32',
          shape: [units * space.unitSize(name)],
          pieces: () => ofEach((d) => space.overlay(d, name).values),
        },
      ],
    ]),
  );
}

async function readJson<Content extends z.ZodType>(
  path: string,
  content: Content,
): Promise<z.output<Content>> {
  try {
    return parse(content, JSON.parse(await readFile(path, 'utf8')), '');
  } catch (cause) {
    throw new CheckpointError(
      `'${path}' cannot be read (${(cause as Error).message}); expected a run folder`,
      { cause },
    );
  }
}

/** A model with such a value would score NaN. Throws CheckpointError. */
function requireFinite(path: string, name: string, values: ArrayLike<number>): void {
  for (let i = 0; i < values.length; i++) {
    if (Number.isFinite(values[i])) continue;
    throw new CheckpointError(
      `'${path}': value ${i} of '${name}' is ${values[i]}; expected finite numbers`,
    );
  }
}

const loadOptions = z.strictObject({
  /**
   * Bytes of domains' own values that stay in memory; the rest lies in a file of the system's temporary
   * folder. All stay in memory by default.
   */
  overlayBudget,
  /** Makers of models that are not the library's, by the name that their describe() gives. */
  models: z
    .record(
      z.string(),
      z.custom<ModelMaker>((own) => typeof own === 'function', 'expected a function'),
    )
    .default({}),
});
export type LoadOptions = z.input<typeof loadOptions>;

/**
 * Reads a run folder: a model that scores rows of its domains. Throws CheckpointError for a folder
 * that is missing, truncated or foreign, and ConfigError for a model that has no maker.
 */
export async function load(folder: string, options: LoadOptions = {}): Promise<Predictor> {
  const { models, overlayBudget: limit } = parse(loadOptions, options, 'load');
  const run = await readRun(folder);
  const { stored } = run;
  const makers = new Map(Object.entries({ ...modelMakers, ...models }));
  const make = makers.get(stored.name);
  if (!make) {
    throw new ConfigError(
      `load: model '${stored.name}'${suggest(stored.name, [...makers.keys()])}`,
    );
  }
  const { vocabulary } = run;
  const { schema, seed, split, overlays } = stored;
  const model = asModel(make({ ...stored.options, schema, vocabulary, seed }), schema, seed);
  model.skipFilling();
  if (split.length > 0) model.splitHeads(split);
  const { space } = model.compile();
  const parameters = model.specs();
  for (const [name, { shape }] of parameters) {
    const own = run.tensors.get(name);
    const size = elementCount(shape);
    if (!(own instanceof Float32Array) || own.length !== size) {
      throw new CheckpointError(
        `'${folder}': '${name}' has ${own?.length ?? 'no'} values; expected shape [${shape}]`,
      );
    }
    space.write(name, (values) => values.set(own));
  }
  if (overlays) {
    model.configureOverlays(overlays);
    space.limitOverlays(tmpdir(), limit ?? -1);
    for (const name of parameters.keys()) {
      for await (const [domain, own] of readSpecific(folder, name, schema.domains.length)) {
        space.setOverlay(domain, name, own);
      }
    }
  }
  return new Predictor(model, vocabulary);
}

/** A run folder's content but for the domains' own values. Throws CheckpointError. */
export async function readRun(folder: string) {
  parse(folderPath, folder, 'folder');
  const stored = await readJson(join(folder, 'model.json'), storedModel);
  const { values, usage } = hasVocabulary(folder)
    ? await readVocabulary(folder)
    : await readJson(join(folder, 'vocabulary.json'), olderVocabulary);
  try {
    checkVocabularies(stored.schema, values);
    if (usage) checkUsage(values, usage);
  } catch (cause) {
    throw new CheckpointError(
      `'${folder}': ${(cause as Error).message}; expected the vocabulary that was saved`,
      { cause },
    );
  }
  const path = join(folder, 'model.safetensors');
  const tensors = await readTensors(path);
  for (const [name, values] of tensors) requireFinite(path, name, values);
  return { stored, vocabulary: new Vocabulary(stored.schema, values, usage), tensors };
}

/**
 * The own values of a parameter that a run folder holds, domain by domain, without those that have none.
 * Throws CheckpointError.
 */
export async function* readSpecific(
  folder: string,
  parameter: string,
  domains: number,
): AsyncGenerator<readonly [domain: number, OverlayEntries]> {
  const path = specificFile(folder, parameter);
  const file = await TensorFile.open(path);
  try {
    const foreign = (): never => {
      throw new CheckpointError(
        `'${path}' does not fit; expected the values of ${domains} domains`,
      );
    };
    const offsets = await file.read('offsets');
    const count = file.count('units') ?? foreign();
    const complete =
      offsets instanceof Int32Array &&
      offsets.length === domains + 1 &&
      offsets[0] === 0 &&
      offsets.every((offset, d) => d === 0 || offset >= (offsets[d - 1] as number)) &&
      offsets[domains] === count;
    if (!complete) foreign();
    const size = count > 0 ? (file.count('values') ?? 0) / count : 0;
    for (let first = 0, last = 0; first < domains; first = last) {
      // As many domains as are worth a read.
      const from = offsets[first] as number;
      do last++;
      while (last < domains && ((offsets[last + 1] as number) - from) * size < valuesAtOnce);
      const to = offsets[last] as number;
      const units = await file.read('units', from, to);
      const values = await file.read('values', from * size, to * size);
      if (!(units instanceof Uint32Array && values instanceof Float32Array)) return foreign();
      requireFinite(path, 'values', values);
      for (let d = first; d < last; d++) {
        const [begin, end] = [(offsets[d] as number) - from, (offsets[d + 1] as number) - from];
        if (begin === end) continue;
        const own = values.subarray(begin * size, end * size);
        yield [d, { units: units.subarray(begin, end), values: own }];
      }
    }
  } finally {
    await file.close();
  }
}
