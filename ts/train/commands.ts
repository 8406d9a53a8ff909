import { ConfigError } from '../errors.js';
import { suggest } from '../nearest.js';
import { shown } from '../options.js';
import type { Command } from '../strategies/types.js';

/** Fields that a command must have, and those that it may have. */
const fields: Readonly<Record<Command['kind'], readonly [string[], string[]]>> = {
  run: [
    [],
    [
      'domain',
      'mixed',
      'blocks',
      'rowsPerDomain',
      'shortest',
      'overlay',
      'optimizer',
      'mode',
      'target',
      'rate',
      'maxSteps',
      'shareFrom',
      'shareTo',
      'order',
      'split',
    ],
  ],
  converge: [
    ['domain', 'other', 'passes', 'patience'],
    ['overlay', 'optimizer', 'rate', 'maxSteps', 'order', 'split'],
  ],
  mark: [['target'], []],
  release: [['target'], []],
  restore: [['target'], ['selection']],
  lerp: [['target', 'rate'], ['selection']],
  outerStep: [['target', 'optimizer'], ['selection']],
  resetOptimizer: [[], ['optimizer']],
  bufferZero: [['target'], []],
  bufferAdd: [['target', 'other', 'rate'], []],
  bufferScale: [['target', 'rate'], []],
  bufferAddChange: [['target', 'other', 'rate'], ['overlay']],
  bufferProject: [['target', 'other'], []],
  bufferApply: [['target'], ['optimizer', 'selection', 'overlay', 'clip']],
  bufferDot: [['target', 'other'], []],
  evaluate: [['domain'], ['split', 'overlay']],
  dropOverlay: [['domain'], []],
  slots: [[], ['target']],
  broadcast: [['target', 'selection'], []],
};
const integers = [
  'target',
  'other',
  'domain',
  'overlay',
  'optimizer',
  'selection',
  'split',
  'maxSteps',
  'rowsPerDomain',
  'passes',
  'patience',
];

const shares = ['shareFrom', 'shareTo'];

/** The command itself. Throws ConfigError for one that lacks a field or has one out of range. */
export function checked(command: Command, strategy: string): Command {
  if (typeof command !== 'object' || command === null) {
    throw new ConfigError(`strategy '${strategy}': ${shown(command)}; expected a command`);
  }
  if (typeof command.kind !== 'string') {
    throw new ConfigError(
      `strategy '${strategy}': a command of kind ${shown(command.kind)}; expected one of ${Object.keys(fields).join(', ')}`,
    );
  }
  const fail = (message: string): never => {
    throw new ConfigError(`strategy '${strategy}', command '${command.kind}': ${message}`);
  };
  if (!Object.hasOwn(fields, command.kind)) {
    fail(`unknown${suggest(command.kind, Object.keys(fields))}`);
  }
  const [required, optional] = fields[command.kind];
  const gradient = command.kind === 'run' && command.mode === 'gradient';
  const needed = gradient ? [...required, 'target', 'rate'] : required;
  const own = command as unknown as Readonly<Record<string, unknown>>;
  for (const field of needed) if (own[field] === undefined) fail(`${field} is missing`);
  if (command.kind === 'run') {
    const scopes = [command.domain !== undefined, command.mixed, command.blocks].filter(Boolean);
    if (scopes.length !== 1) fail('expected one of domain, mixed and blocks');
    for (const field of ['rowsPerDomain', 'shortest']) {
      if (own[field] !== undefined && !command.blocks) fail(`${field}; expected blocks with it`);
    }
  }
  for (const [field, value] of Object.entries(own)) {
    if (field === 'kind') continue;
    if (!needed.includes(field) && !optional.includes(field)) {
      fail(`unknown field '${field}'${suggest(field, [...needed, ...optional])}`);
    }
    const whole = Number.isInteger(value) && (value as number) >= 0 && (value as number) < 2 ** 31;
    if (integers.includes(field) && !whole)
      fail(`${field} ${shown(value)}; expected an integer from 0 to ${2 ** 31 - 1}`);
    if (field === 'rate' && !Number.isFinite(value))
      fail(`rate ${shown(value)}; expected a number`);
    if (shares.includes(field) && !((value as number) >= 0 && (value as number) <= 1)) {
      fail(`${field} ${shown(value)}; expected a number from 0 to 1`);
    }
    if (field === 'order' && !(value instanceof Int32Array && value.length > 0)) {
      fail('order; expected an Int32Array of one row at least');
    }
  }
  return command;
}
