import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { brand } from '../brand.js';
import { ConfigError } from '../errors.js';
import { parse } from '../options.js';
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
import {
  type DatasetOptions,
  type FolderOptions,
  folderOptions,
  type Roles,
  roles,
  sourceOptions,
} from './options.js';
import { type Prepared, prepare } from './prepare.js';
import { prepareStaged } from './prepare-staged.js';
import { reencode } from './reencode.js';
import { hasWeights, StreamedSplit } from './streamed.js';
import { readTable, tableOf } from './table.js';
import { type Schema, type Split, type SplitName, splitNames } from './types.js';
import { firstUsage, type Usage } from './usage.js';
import { Vocabulary } from './vocabulary.js';

/** Rows of training, validation and test data with the schema and vocabularies behind them. */
export class Dataset {
  private constructor(
    readonly vocabulary: Vocabulary,
    readonly train: Split,
    readonly validation: Split,
    readonly test: Split,
  ) {}

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
   * of them, without holding them in memory (docs/streaming.md). Throws what these throw.
   */
  static async prepare(options: DatasetOptions, folder: string): Promise<void> {
    const { source, query, ...rest } = parse(sourceOptions, options, 'data');
    await prepareStaged(source, query, rest, folder);
  }

  /** The same for raw rows in memory: an array of values per column. */
  static from(columns: Readonly<Record<string, ArrayLike<unknown>>>, options: Roles): Dataset {
    const own = parse(roles, options, 'data');
    if (own.negatives?.exclude) {
      throw new ConfigError('data.negatives.exclude: expected a source that SQL can read');
    }
    return Dataset.#prepared(prepare(tableOf(columns), own));
  }

  /** A dataset over ids. Throws DataError where they do not fit the schema. */
  static of(
    schema: Schema,
    vocabularies: readonly (readonly string[])[],
    splits: readonly [Split, Split, Split],
  ): Dataset {
    return Dataset.#prepared({ schema, vocabularies, splits });
  }

  static #checked(
    schema: Schema,
    vocabularies: readonly (readonly string[])[],
    splits: readonly [Split, Split, Split],
    usage = (): Usage => firstUsage(schema, vocabularies, splits[0]),
  ): Dataset {
    checkVocabularies(schema, vocabularies);
    splits.forEach((split, p) => {
      // Rows in a file are checked when they are read.
      const check = split instanceof StreamedSplit ? checkOffsets : checkSplit;
      check(schema, split, splitNames[p] as SplitName);
    });
    requireWeights(splits);
    return new Dataset(new Vocabulary(schema, vocabularies, usage()), ...splits);
  }

  static #prepared({ schema, vocabularies, splits, usage }: Prepared): Dataset {
    // A vocabulary that continues may know domains that these rows lack.
    if (!usage) requireTrainingRows(schema, splits[0]);
    return Dataset.#checked(schema, vocabularies, splits, usage && (() => usage));
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

  /** Rows of one part. */
  split(name: SplitName): Split {
    return this[name];
  }

  /**
   * The same rows with another vocabulary's ids, for a model that was trained with it. Throws
   * DataError for a domain or a feature that it does not know, and ConfigError where rows that stay on
   * disk would need other ids.
   */
  as(vocabulary: Vocabulary): Dataset {
    if (this.streamed && this.vocabulary.equals(vocabulary)) return this;
    const { schema, vocabularies, splits } = reencode(this, vocabulary);
    return Dataset.#checked(schema, vocabularies, splits, () => vocabulary.usage);
  }

  /**
   * The same rows for a model that goes on from one that was trained with `vocabulary`: what that knows
   * keeps its ids and domains, and values and domains that are new in this training part get further ones. With
   * `evict`, ids that training rows have not had lately lose theirs, to new values first (docs/data.md).
   * Throws ConfigError, and DataError where features differ or ids have no raw values.
   */
  continuing(vocabulary: Vocabulary, evict?: EvictionOptions): Dataset {
    const eviction = evict && parse(evictionOptions, evict, 'evict');
    return this.as(continuedVocabulary(vocabulary, this, eviction));
  }

  /** Writes a folder that open() reads: schema.json and dataset.safetensors. */
  async save(folder: string): Promise<void> {
    const { schema, vocabulary, train, validation, test } = this;
    const splits = [train, validation, test] as const;
    const { values, usage } = vocabulary;
    await writeFolder(folder, { schema, vocabularies: values, splits, usage });
  }
}
brand('Dataset', Dataset);
