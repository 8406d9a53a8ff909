// The MLP as an ONNX file, written field by field: the format is one protobuf message.
import { closeSync, openSync, writeSync } from 'node:fs';
import { layersOf, layerValues, tablesOf, tableValues } from './mlp.mjs';

function varint(value) {
  const bytes = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  return Buffer.from([...bytes, rest]);
}

const number = (field, value) => Buffer.concat([varint(8 * field), varint(value)]);

/** A field of a string, bytes, or a message of fields. */
function part(field, content) {
  const bytes = Array.isArray(content) ? Buffer.concat(content) : Buffer.from(content);
  return Buffer.concat([varint(8 * field + 2), varint(bytes.length), bytes]);
}

// Field numbers and codes of onnx.proto.
const float32 = 1;
const int32 = 6;
const integerAttribute = 2;

const attribute = (name, value) =>
  part(5, [part(1, name), number(3, value), number(20, integerAttribute)]);

const node = (type, inputs, output, attributes = []) =>
  part(1, [...inputs.map((name) => part(1, name)), part(2, output), part(4, type), ...attributes]);

const column = (field, name, type, dimensions) =>
  part(field, [
    part(1, name),
    part(2, [
      part(1, [
        number(1, type),
        part(
          2,
          dimensions.map((size) => part(1, [size])),
        ),
      ]),
    ]),
  ]);

const rows = part(2, 'rows');

/** Writes the model to `path`: inputs user, item and domain, int32 [rows]; output logit [rows, 1]. */
export function writeOnnx(path, shape) {
  const names = ['user', 'item', 'domain'];
  const layers = layersOf(shape);
  const nodes = names.map((name) => node('Gather', [`${name}.table`, name], `${name}.row`));
  nodes.push(
    node(
      'Concat',
      names.map((name) => `${name}.row`),
      'x0',
      [attribute('axis', 1)],
    ),
  );
  for (const layer of layers.keys()) {
    const last = layer === layers.length - 1;
    const output = last ? 'logit' : `z${layer}`;
    const inputs = [`x${layer}`, `weight${layer}`, `bias${layer}`];
    nodes.push(node('Gemm', inputs, output, [attribute('transB', 1)]));
    if (!last) nodes.push(node('Relu', [output], `x${layer + 1}`));
  }
  /** A parameter's field but for its values, which are written by themselves. */
  const parameter = (name, sizes, values) => {
    const bytes = Buffer.from(values.buffer, values.byteOffset, values.byteLength);
    const head = Buffer.concat([
      ...sizes.map((size) => number(1, size)),
      number(2, float32),
      part(8, name),
      varint(8 * 9 + 2),
      varint(bytes.length),
    ]);
    return {
      head: Buffer.concat([varint(8 * 5 + 2), varint(head.length + bytes.length), head]),
      bytes,
    };
  };
  const parameters = [
    ...tablesOf(shape).map((table, t) =>
      parameter(`${names[t]}.table`, [table.rows, shape.embedding], tableValues(table, shape)),
    ),
    ...layers.flatMap((layer, l) => {
      const { weight, bias } = layerValues(layer);
      return [
        parameter(`weight${l}`, [layer.outputs, layer.inputs], weight),
        parameter(`bias${l}`, [layer.outputs], bias),
      ];
    }),
  ];
  const graph = [
    ...nodes,
    part(2, 'mlp'),
    ...names.map((name) => column(11, name, int32, [rows])),
    column(12, 'logit', float32, [rows, number(1, 1)]),
  ];
  const pieces = [...graph, ...parameters.flatMap(({ head, bytes }) => [head, bytes])];
  const size = pieces.reduce((sum, { length }) => sum + length, 0);
  const file = openSync(path, 'w');
  const write = (bytes) => {
    for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
  };
  // IR version 8, operators of version 17.
  write(Buffer.concat([number(1, 8), part(8, [number(2, 17)]), varint(8 * 7 + 2), varint(size)]));
  for (const piece of pieces) write(piece);
  closeSync(file);
}
