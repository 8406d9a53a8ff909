import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { brand } from '../brand.js';
import { ConfigError, DataError } from '../errors.js';
import { folderPath, parse, requireOptions, shown } from '../options.js';
import {
  checkOffsets,
  checkSplit,
  checkVocabularies,
  requireTrainingRows,
  requireWeights,
} from './check.js';
import { continuedVocabulary, type EvictionOptions, evictionOptions } from './continued.js';
import { readFolder, writeFolder } from './folder.js';
import { isMamdrFolder, readMamdrFolder } from './mamdr.js';
import { Numbering } from './numbering.js';
import {
  type DatasetOptions,
  type FolderOptions,
  folderOptions,
  type Roles,
  roles,
  sourceOptions,
} from './options.js';
import { type Prepared, prepare } from './prepare.js';
import { reencode } from './reencode.js';
import { schemaShape } from './schema.js';
import type { Target } from './staged/output.js';
import { prepareStaged } from './staged/prepare.js';
import { hasWeights, StreamedSplit } from './streamed.js';
import { readTable, tableOf } from './table.js';
import { type Schema, type Split, type SplitName, splitNames } from './types.js';
import { countIds, firstUsage, type Usage } from './usage.js';
import { Vocabulary } from './vocabulary.js';

/** Whose ids rows get that are prepared: by default their own. */
export interface PrepareOptions {
  /** A vocabulary whose ids they get as Dataset.as gives them. */
  readonly as?: Vocabulary;
  /** Or one that goes on with them, as Dataset.continuing lets it. */
  readonly continuing?: Vocabulary;
  /** Which ids that one evicts. */
  readonly evict?: EvictionOptions;
}

function targetOf(ids: PrepareOptions): Target | undefined {
  const { as, continuing, evict } = requireOptions(ids, 'prepare');
  if (as && continuing) {
    throw new ConfigError('prepare: both as and continuing; expected one vocabulary');
  }
  if (evict && !continuing) {
    throw new ConfigError('prepare.evict: expected continuing, whose ids are evicted');
  }
  const eviction = evict && parse(evictionOptions, evict, 'evict');
  if (as) requireVocabulary(as);
  if (continuing) {
    requireVocabulary(continuing);
    return {
      vocabularyOf: (own) => continuedVocabulary(continuing, own, eviction),
      widthOf: () => Number.POSITIVE_INFINITY,
    };
  }
  return (
    as && {
      vocabularyOf: () => as,
      widthOf(name) {
        const own = as.schema.features.find((feature) => feature.name === name);
        return own?.kind === 'multi-valued' ? own.width : Number.POSITIVE_INFINITY;
      },
    }
  );
}

/** Throws DataError for a raw value that stands twice, which would leave an id without any. */
function requireDistinct(vocabularies: readonly (readonly string[])[]): void {
  for (const values of vocabularies) {
    const seen = new Numbering();
    values.forEach((value, i) => {
      if (seen.add(value) === i) return;
      throw new DataError(`vocabularies: '${value}' stands for two ids; expected each value once`);
    });
  }
}

/** Rows of training, validation and test data with the schema and vocabularies behind them. */
export class Dataset {
  /** Whether the usage of ids is not what the rows alone tell. */
  readonly #hasPast: boolean;

  private constructor(
    readonly vocabulary: Vocabulary,
    readonly train: Split,
    readonly validation: Split,
    readonly test: Split,
    hasPast: boolean,
  ) {
    this.#hasPast = hasPast;
  }

  get schema(): Schema {
    return this.vocabulary.schema;
  }

  /**
   * Reads a folder that save() wrote, a folder in MAMDR's processed layout, or raw rows by their
   * columns' roles. Vocabularies come from the training part; other values count as unknown. With
   * `dataBudget`, rows of a folder that save() or prepare() wrote stay on disk where they are
   * larger: the memory of training does not grow with them (docs/streaming.md).
   * Throws DataError (missing file or column, a label outside {0, 1}, missing values, a domain
   * without training rows, a truncated folder) and ConfigError.
   */
  static async open(source: string | FolderOptions | DatasetOptions): Promise<Dataset> {
    if (typeof source === 'string') return Dataset.#folder(source);
    const options = parse(z.union([folderOptions, sourceOptions]), source, 'data');
    if (!('domain' in options)) return Dataset.#folder(options.source, options.dataBudget);
    const { source: path, query, ...rest } = options;
    const table = await readTable(path, query);
    const exclude = rest.negatives?.exclude;
    const excluded = exclude === undefined ? undefined : await readTable(path, exclude);
    return Dataset.#prepared(prepare(table, rest, excluded));
  }

  /**
   * Prepares raw rows of a file or a query straight into a folder: byte for byte what open() and save() make
   * of them, and as() or continuing() in between, without holding them in memory (docs/streaming.md). Throws what
   * these throw.
   */
  static async prepare(
    options: DatasetOptions,
    folder: string,
    ids: PrepareOptions = {},
  ): Promise<void> {
    const { source, query, ...rest } = parse(sourceOptions, options, 'data');
    parse(folderPath, folder, 'folder');
    await prepareStaged(source, query, rest, folder, targetOf(ids));
  }

  /** The same for raw rows in memory: an array of values per column. */
  static from(columns: Readonly<Record<string, ArrayLike<unknown>>>, options: Roles): Dataset {
    const own = parse(roles, options, 'data');
    if (own.negatives?.exclude) {
      throw new ConfigError('data.negatives.exclude: expected a source that SQL can read');
    }
    return Dataset.#prepared(prepare(tableOf(columns), own));
  }

  /** A dataset over ids. Throws ConfigError for what is no schema, and DataError where ids do not fit it. */
  static of(
    schema: Schema,
    vocabularies: readonly (readonly string[])[],
    splits: readonly [Split, Split, Split],
  ): Dataset {
    parse(schemaShape, schema, 'schema');
    parse(z.array(z.array(z.string())), vocabularies, 'vocabularies');
    requireDistinct(vocabularies);
    parse(z.array(z.looseObject({})).length(splitNames.length), splits, 'splits');
    return Dataset.#prepared({ schema, vocabularies, splits });
  }

  static #checked(
    schema: Schema,
    vocabularies: readonly (readonly string[])[],
    splits: readonly [Split, Split, Split],
    usage?: Usage,
  ): Dataset {
    checkVocabularies(schema, vocabularies);
    splits.forEach((split, p) => {
      // Rows in a file are checked when they are read.
      const check = split instanceof StreamedSplit ? checkOffsets : checkSplit;
      check(schema, split, splitNames[p] as SplitName);
    });
    requireWeights(splits);
    const known = usage ?? firstUsage(schema, vocabularies, splits[0]);
    return new Dataset(new Vocabulary(schema, vocabularies, known), ...splits, usage !== undefined);
  }

  static #prepared({ schema, vocabularies, splits, usage }: Prepared): Dataset {
    // A vocabulary that is older may know domains that these rows lack.
    if (!usage) requireTrainingRows(schema, splits[0]);
    return Dataset.#checked(schema, vocabularies, splits, usage);
  }

  static async #folder(folder: string, dataBudget?: number): Promise<Dataset> {
    const mamdr = !existsSync(join(folder, 'schema.json')) && isMamdrFolder(folder);
    if (mamdr && dataBudget !== undefined) {
      throw new ConfigError(
        `data.dataBudget: ${dataBudget}; expected none with a folder in MAMDR's layout, which 'polydomain prepare' turns into one that can stay on disk`,
      );
    }
    return Dataset.#prepared(
      mamdr ? await readMamdrFolder(folder) : await readFolder(folder, dataBudget),
    );
  }

  /** Whether rows stay on disk: the columns of the parts cannot be read then. */
  get streamed(): boolean {
    return this.train instanceof StreamedSplit;
  }

  /** Whether rows have weights. */
  get weighted(): boolean {
    return hasWeights(this.train);
  }

  /** Rows of one part. Throws ConfigError for another name. */
  split(name: SplitName): Split {
    return this[parse(z.enum(splitNames), name, 'split')];
  }

  /**
   * The same rows with another vocabulary's ids, for a model that was trained with it. Throws
   * DataError for a domain or a feature that it does not know, and ConfigError where rows that stay on
   * disk would need other ids.
   */
  as(vocabulary: Vocabulary): Dataset {
    requireVocabulary(vocabulary);
    if (this.streamed && this.vocabulary.equals(vocabulary)) return this;
    if (this.train instanceof StreamedSplit) {
      throw new ConfigError(
        `the rows of '${this.train.file.path}' stay on disk, as they are larger than dataBudget, with other ids; expected them prepared with those of the vocabulary (Dataset.prepare, options as and continuing), or a larger dataBudget`,
      );
    }
    const { schema, vocabularies, splits } = reencode(this, vocabulary);
    return Dataset.#checked(schema, vocabularies, splits, vocabulary.usage);
  }

  /**
   * The same rows for a model that goes on from one that was trained with `vocabulary`: what that knows
   * keeps its ids and domains, and values and domains that are new in this training part get further ones. With
   * `evict`, ids that training rows have not had lately lose theirs, to new values first (docs/data.md).
   * Throws ConfigError, and DataError where features differ or ids have no raw values.
   */
  continuing(vocabulary: Vocabulary, evict?: EvictionOptions): Dataset {
    requireVocabulary(vocabulary);
    const eviction = evict && parse(evictionOptions, evict, 'evict');
    const { schema, train } = this;
    const counts = countIds(schema, train);
    const own = { schema, values: this.vocabulary.values, counts };
    return this.as(continuedVocabulary(vocabulary, own, eviction));
  }

  /** Writes a folder that open() reads: schema.json and dataset.safetensors. Throws ConfigError, CheckpointError. */
  async save(folder: string): Promise<void> {
    parse(folderPath, folder, 'folder');
    const { schema, vocabulary, train, validation, test } = this;
    const splits = [train, validation, test] as const;
    const { values, usage } = vocabulary;
    const past = this.#hasPast ? { usage } : {};
    await writeFolder(folder, { schema, vocabularies: values, splits, ...past });
  }
}
brand('Dataset', Dataset);

/** Throws ConfigError for what is none, such as a run that has one. */
function requireVocabulary(given: unknown): void {
  if (typeof (given as Partial<Vocabulary> | null)?.encode === 'function') return;
  throw new ConfigError(
    `vocabulary: ${shown(given)}; expected that of a dataset, or of a result of fit or load`,
  );
}

/** Throws ConfigError for what is none, such as the columns that one is made of. */
export function requireDataset(data: unknown): asserts data is Dataset {
  if (data instanceof Dataset) return;
  throw new ConfigError(`data: ${shown(data)}; expected a Dataset`);
}
