import { z } from 'zod';
import { ConfigError } from './errors.js';
import { suggest } from './nearest.js';

type JsonSchema = {
  const?: unknown;
  properties?: Record<string, JsonSchema>;
  items?: JsonSchema;
  anyOf?: JsonSchema[];
  oneOf?: JsonSchema[];
};

/** The property names that a schema knows at a path, over all alternatives that may be meant by the value there. */
function knownKeys(schema: z.ZodType, value: unknown, path: readonly PropertyKey[]): string[] {
  // Another name rules an alternative out.
  const isMeant = ({ properties = {} }: JsonSchema, given: unknown): boolean =>
    Object.entries(properties).every(
      ([key, own]) => own.const === undefined || own.const === valueAt(given, [key]),
    );
  const alternatives = (node: JsonSchema, given: unknown): JsonSchema[] =>
    [node, ...(node.anyOf ?? []), ...(node.oneOf ?? [])]
      .flatMap((one) => (one === node ? [one] : alternatives(one, given)))
      .filter((one) => isMeant(one, given));
  let nodes = alternatives(
    z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as JsonSchema,
    value,
  );
  path.forEach((key, depth) => {
    const given = valueAt(value, path.slice(0, depth + 1));
    nodes = nodes.flatMap((node) => {
      const next = typeof key === 'number' ? node.items : node.properties?.[String(key)];
      return next ? alternatives(next, given) : [];
    });
  });
  return [...new Set(nodes.flatMap((node) => Object.keys(node.properties ?? {})))];
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (at, key) => (at as Record<PropertyKey, unknown> | undefined)?.[key],
    value,
  );
}

/** Letters of a value that a message shows. */
const longest = 200;

/** How many keys an alternative does not know. */
function strangersOf(issues: readonly z.core.$ZodIssue[]): number {
  return issues.reduce(
    (sum, issue) => sum + (issue.code === 'unrecognized_keys' ? issue.keys.length : 0),
    0,
  );
}

/** Of a union's alternatives, what is wrong with the one that was most likely meant. */
function nearestAlternative(issues: readonly (readonly z.core.$ZodIssue[])[]): z.core.$ZodIssue {
  const [nearest] = [...issues].sort(
    (a, b) => strangersOf(a) - strangersOf(b) || a.length - b.length,
  );
  return nearest?.[0] as z.core.$ZodIssue;
}

/** The schemas of objects that a schema has at a path: of a union those of every alternative. */
function objectsAt(schema: z.core.$ZodType, path: readonly PropertyKey[]): z.core.$ZodObject[] {
  const { def } = (schema as z.core.$ZodTypes)._zod;
  if (def.type === 'union') return def.options.flatMap((one) => objectsAt(one, path));
  if (def.type === 'optional' || def.type === 'default') return objectsAt(def.innerType, path);
  const [key, ...rest] = path;
  if (def.type !== 'object') return [];
  if (key === undefined) return [schema as z.core.$ZodObject];
  const next = def.shape[String(key)];
  return next ? objectsAt(next, rest) : [];
}

/** Of the keys that a value has at a path, those that no alternative knows that knows `key`. */
function strangersBeside(
  key: string,
  schema: z.ZodType,
  value: unknown,
  path: readonly PropertyKey[],
): string[] {
  const shapes = objectsAt(schema, path).map((one) => one._zod.def.shape);
  const mates = shapes.filter((shape) => key in shape);
  return Object.keys(valueAt(value, path) as object).filter((other) =>
    mates.every((shape) => !(other in shape)),
  );
}

/**
 * The issue to tell of: of a union, what is wrong with the alternative that was most likely meant. Zod tells of one
 * alternative alone where unknown keys are all that it has against a value; another one may know them.
 */
function nearestIssue(
  schema: z.ZodType,
  value: unknown,
  issue: z.core.$ZodIssue,
): z.core.$ZodIssue {
  let alternatives: readonly (readonly z.core.$ZodIssue[])[] = [];
  if (issue.code === 'invalid_union' && issue.message === 'Invalid input') {
    alternatives = issue.errors;
  } else if (issue.code === 'unrecognized_keys') {
    const known = knownKeys(schema, value, issue.path);
    const given = valueAt(value, issue.path);
    alternatives = objectsAt(schema, issue.path)
      .filter((one) => issue.keys.some((key) => known.includes(key) && key in one._zod.def.shape))
      .map((one) => z.core.safeParse(one, given).error?.issues ?? [])
      .filter((own) => strangersOf(own) < issue.keys.length);
  }
  if (alternatives.length === 0) return issue;
  const nearest = nearestAlternative(alternatives);
  const path = [...issue.path, ...nearest.path];
  return nearestIssue(schema, value, { ...nearest, path } as z.core.$ZodIssue);
}

/** A value for messages. */
export function shown(value: unknown): string {
  if (value === undefined) return 'missing';
  // JSON knows no NaN.
  if (typeof value === 'number') return String(value);
  if (ArrayBuffer.isView(value)) return `${value.constructor.name} of ${value.byteLength} bytes`;
  if (typeof value === 'function')
    return value.name === '' ? 'a function' : `function ${value.name}`;
  try {
    const text = JSON.stringify(value) ?? String(value);
    return text.length > longest ? `${text.slice(0, longest)}...` : text;
  } catch {
    // A cycle, or what JSON cannot hold.
    return Object.prototype.toString.call(value);
  }
}

function describe(
  schema: z.ZodType,
  value: unknown,
  where: string,
  issue: z.core.$ZodIssue,
): string {
  const at = [where, ...issue.path.map(String)].filter((part) => part !== '').join('.');
  if (issue.code === 'unrecognized_keys') {
    const [key = ''] = issue.keys;
    const prefix = at === '' ? '' : `${at}: `;
    const known = knownKeys(schema, value, issue.path);
    if (!known.includes(key)) return `${prefix}unknown key '${key}'${suggest(key, known)}`;
    const others = strangersBeside(key, schema, value, issue.path).map((other) => `'${other}'`);
    return `${prefix}'${key}' does not go with ${others.join(', ')}`;
  }
  const given = valueAt(value, issue.path);
  if (issue.code === 'invalid_union' && 'options' in issue) {
    const known = (issue.options as unknown[]).map(String);
    if (typeof given === 'string') return `${at}: '${given}'${suggest(given, known)}`;
    return `${at}: ${shown(given)}; expected one of ${known.join(', ')}`;
  }
  return `${at}: ${shown(given)}; ${issue.message.replace(/^Invalid (input|option): |^Too (small|big): /, '')}`;
}

/**
 * Checks options against their schema and fills in defaults. Throws ConfigError that names the
 * first key at fault, its value and what would be right; `where` is the path of the whole.
 */
export function parse<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  where: string,
): z.output<Schema> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0] as z.core.$ZodIssue;
  throw new ConfigError(describe(schema, value, where, nearestIssue(schema, value, issue)));
}

/** Puts the key at fault before the message of a ConfigError that the body throws. */
export function blaming<Result>(key: string, body: () => Result): Result {
  try {
    return body();
  } catch (cause) {
    if (!(cause instanceof ConfigError)) throw cause;
    throw new ConfigError(`${key}: ${cause.message}`, { cause });
  }
}

/** Throws ConfigError for options that are no object. */
export function requireOptions<Options>(options: Options, where: string): Options {
  if (typeof options === 'object' && options !== null) return options;
  throw new ConfigError(`${where}: ${shown(options)}; expected an object of options`);
}

/** A share or rate above 0 and of 1 at most. */
export const rate = z.number().gt(0).lte(1);
export const positive = z.number().gt(0);
export const count = z.int().gte(1);
export const folderPath = z.string().min(1, 'expected a path');
export const anyFunction = z.custom<(...parameters: never[]) => unknown>(
  (own) => typeof own === 'function',
  'expected a function',
);
export const abortSignal = z.custom<AbortSignal>(
  (own) => own instanceof AbortSignal,
  'expected an AbortSignal',
);
