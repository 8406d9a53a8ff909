import { z } from 'zod';
import { ShapeError, TraceError } from '../errors.js';
import { addon } from '../native/load.js';
import { anyFunction, parse, shown } from '../options.js';
import { call, nextRandomStep, symbolicTensor, toTensor } from './apply.js';
import { elementCount } from './shape.js';
import { Tensor } from './tensor.js';
import { Trace, withTrace } from './trace.js';

/**
 * The value of a scalar function and its gradients with respect to each of its tensors, computed
 * now: the function is traced, differentiated natively, and its nodes are run one by one.
 * Integer tensors get no gradient (undefined). Throws ConfigError for what is no function, ShapeError for what are no
 * tensors, and TraceError for a result that does not depend on them.
 */
export function valueAndGradients(
  body: (...tensors: Tensor[]) => Tensor,
  tensors: readonly Tensor[],
): { value: Tensor; gradients: (Tensor | undefined)[] } {
  parse(anyFunction, body, 'valueAndGradients');
  if (!Array.isArray(tensors) || !tensors.every((own) => own instanceof Tensor)) {
    throw new ShapeError(`valueAndGradients: ${shown(tensors)}; expected an array of tensors`);
  }
  const trace = new Trace();
  const inputs = tensors.map((tensor, i) => trace.graph.input(`${i}`, tensor.dtype, tensor.shape));
  const result = withTrace(trace, () =>
    body(...inputs.map((value) => symbolicTensor(trace, value))),
  );
  const loss = toTensor(result, "the function's result").symbolic();
  if (loss?.trace !== trace) {
    throw new TraceError('the function returned a tensor that does not depend on its inputs');
  }
  const gradients = trace.graph.backward(loss.value, inputs);
  // One step for all, so that dropout's gradient has the mask of its value.
  const step = nextRandomStep();
  const values = new Map<number, Tensor>();
  inputs.forEach((value, i) => {
    values.set(value, tensors[i] as Tensor);
  });
  for (let id = 0; id < trace.graph.size; id++) {
    if (values.has(id)) continue;
    const node = trace.graph.node(id);
    if (node.kind !== 'op') throw new TraceError(`'${node.name}' is read outside of its model`);
    const operands = node.inputs.map((input) => values.get(input) as Tensor);
    values.set(id, call(node.op, operands, node.attributes, step));
  }
  const wanted = new Set([loss.value, ...gradients, ...inputs]);
  for (const [id, tensor] of values) if (!wanted.has(id)) tensor.dispose();
  return {
    value: values.get(loss.value) as Tensor,
    gradients: gradients.map((id) => (id < 0 ? undefined : values.get(id))),
  };
}

const randomOptions = z.strictObject({
  kind: z.enum(['uniform', 'normal']).default('uniform'),
  a: z.number().default(0),
  b: z.number().default(1),
  seed: z.int().gte(0),
  stream: z.string().default('random'),
});

/** Uniform or normal numbers of a named, seeded sequence. Throws ConfigError. */
export function random(
  shape: readonly number[],
  options: {
    readonly kind?: 'uniform' | 'normal';
    readonly a?: number;
    readonly b?: number;
    readonly seed: number;
    readonly stream?: string;
  },
): Tensor<'float32'> {
  parse(z.array(z.int().gte(0)), shape, 'random: shape');
  const { kind, a, b, seed, stream } = parse(randomOptions, options, 'random');
  const data = new Float32Array(elementCount(shape));
  addon().fillRandom(data, { kind, a, b }, seed, stream);
  return Tensor.from(data, shape);
}
