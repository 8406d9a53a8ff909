import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { checkVocabularies } from '../data/check.js';
import { Vocabulary } from '../data/vocabulary.js';
import { CheckpointError, ConfigError } from '../errors.js';
import { type ModelMaker, modelMakers } from '../models/registry.js';
import type { OverlayEntries } from '../native/addon.js';
import { suggest } from '../nearest.js';
import { asModel, type Model } from '../nn/model.js';
import { parse } from '../options.js';
import { Predictor } from '../serve/predictor.js';
import { makeFolder, writeFileAtomic } from './atomic.js';
import { readTensors, writeTensors } from './safetensors.js';

const format = 'polydomain-model';
const version = 1;

const featureSchema = z.object({
  name: z.string(),
  kind: z.literal('categorical'),
  size: z.int().gte(1),
});
const storedModel = z.object({
  format: z.literal(format),
  version: z.literal(version),
  name: z.string(),
  options: z.record(z.string(), z.unknown()),
  /** Of the parameters' start; also of specific values that start at random. */
  seed: z.int().gte(0),
  schema: z.object({
    label: z.string(),
    domain: z.string(),
    features: z.array(featureSchema),
    domains: z.array(z.string()),
  }),
  overlays: z
    .object({
      combine: z.enum(['plus', 'times', 'replace']),
      start: z.enum(['neutral', 'random']),
      specific: z.array(z.string()),
    })
    .nullable(),
});

const storedVocabulary = z.object({
  format: z.literal('polydomain-vocabulary'),
  version: z.literal(version),
  values: z.array(z.array(z.string())),
});

/** Of the specific values of a parameter. */
function specificFile(folder: string, parameter: string): string {
  return join(folder, 'specific', `${encodeURIComponent(parameter)}.safetensors`);
}

/**
 * Writes what load() needs: weights, the domains' own values, vocabulary and, last, model.json, so
 * that a folder that has it is complete. Throws CheckpointError.
 */
export async function saveModel(folder: string, { model, vocabulary }: Predictor): Promise<void> {
  await makeFolder(folder);
  const parameters = model.parameters();
  await writeTensors(join(folder, 'model.safetensors'), parameters);
  const { schema } = vocabulary;
  const overlays = model.overlays ?? null;
  if (overlays) {
    await makeFolder(join(folder, 'specific'));
    for (const name of parameters.keys()) {
      await saveSpecific(specificFile(folder, name), model, name, schema.domains.length);
    }
  }
  await writeFileAtomic(
    join(folder, 'vocabulary.json'),
    `${JSON.stringify({ format: 'polydomain-vocabulary', version, values: vocabulary.values })}\n`,
  );
  const { seed } = model;
  const stored = { format, version, ...model.describe(), seed, schema, overlays };
  await writeFileAtomic(join(folder, 'model.json'), `${JSON.stringify(stored, null, 2)}\n`);
}

/** Rows of all domains one after another, with offsets by domain: compressed sparse rows. */
async function saveSpecific(
  path: string,
  model: Model,
  parameter: string,
  domains: number,
): Promise<void> {
  const { space } = model.compile();
  const offsets = new Int32Array(domains + 1);
  const entries: OverlayEntries[] = [];
  for (let d = 0; d < domains; d++) {
    const own = space.overlay(d, parameter);
    entries.push(own);
    offsets[d + 1] = (offsets[d] as number) + own.units.length;
  }
  const units = new Uint32Array(offsets[domains] as number);
  const values = new Float32Array(entries.reduce((sum, own) => sum + own.values.length, 0));
  let at = 0;
  entries.forEach((own, d) => {
    units.set(own.units, offsets[d]);
    values.set(own.values, at);
    at += own.values.length;
  });
  await writeTensors(
    path,
    new Map<string, Int32Array | Uint32Array | Float32Array>([
      ['offsets', offsets],
      ['units', units],
      ['values', values],
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

export interface LoadOptions {
  /** Makers of models that are not the library's, by the name that their describe() gives. */
  readonly models?: Readonly<Record<string, ModelMaker>>;
}

/**
 * Reads a run folder: a model that scores rows of its domains. Throws CheckpointError for a folder
 * that is missing, truncated or foreign, and ConfigError for a model that has no maker.
 */
export async function load(folder: string, { models = {} }: LoadOptions = {}): Promise<Predictor> {
  const run = await readRun(folder);
  const { stored } = run;
  const makers = new Map(Object.entries({ ...modelMakers, ...models }));
  const make = makers.get(stored.name);
  if (!make) {
    throw new ConfigError(
      `load: model '${stored.name}'${suggest(stored.name, [...makers.keys()])}`,
    );
  }
  const { schema, options, seed, overlays } = stored;
  const model = asModel(make({ ...options, schema, seed }), schema, seed);
  const parameters = model.parameters();
  for (const [name, { data, shape }] of parameters) {
    const own = run.tensors.get(name);
    if (!(own instanceof Float32Array) || own.length !== data.length) {
      throw new CheckpointError(
        `'${folder}': '${name}' has ${own?.length ?? 'no'} values; expected shape [${shape}]`,
      );
    }
    data.set(own);
  }
  if (overlays) {
    model.configureOverlays(overlays);
    for (const name of parameters.keys()) {
      const own = await readSpecific(folder, name, schema.domains.length);
      own.forEach((entries, domain) => {
        if (entries.units.length > 0) model.compile().space.setOverlay(domain, name, entries);
      });
    }
  }
  return new Predictor(model, run.vocabulary);
}

/** A run folder's content but for the domains' own values. Throws CheckpointError. */
export async function readRun(folder: string) {
  const stored = await readJson(join(folder, 'model.json'), storedModel);
  const { values } = await readJson(join(folder, 'vocabulary.json'), storedVocabulary);
  try {
    checkVocabularies(stored.schema, values);
  } catch (cause) {
    throw new CheckpointError(
      `'${folder}': ${(cause as Error).message}; expected the vocabulary that was saved`,
      { cause },
    );
  }
  const tensors = await readTensors(join(folder, 'model.safetensors'));
  return { stored, vocabulary: new Vocabulary(stored.schema, values), tensors };
}

/** The own values of a parameter that a run folder holds, by domain. Throws CheckpointError. */
export async function readSpecific(
  folder: string,
  parameter: string,
  domains: number,
): Promise<OverlayEntries[]> {
  const path = specificFile(folder, parameter);
  const tensors = await readTensors(path);
  const offsets = tensors.get('offsets');
  const units = tensors.get('units');
  const values = tensors.get('values');
  const complete =
    offsets instanceof Int32Array &&
    units instanceof Uint32Array &&
    values instanceof Float32Array &&
    offsets.length === domains + 1 &&
    offsets[domains] === units.length;
  if (!complete) {
    throw new CheckpointError(`'${path}' does not fit; expected the values of ${domains} domains`);
  }
  const size = units.length > 0 ? values.length / units.length : 0;
  return Array.from({ length: domains }, (_, d) => {
    const [begin, end] = [offsets[d] as number, offsets[d + 1] as number];
    return {
      units: units.subarray(begin, end),
      values: values.subarray(begin * size, end * size),
    };
  });
}
