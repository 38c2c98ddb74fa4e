// Tells what Grafana's types have against boards: `node check.mjs FOLDER_OF_NODE_MODULES SCHEMAS`, with boards by name
// on standard input; on standard output, the problems by the same names.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { join } from "node:path";

const [folder, path] = process.argv.slice(2);
const Ajv = createRequire(join(folder, "/"))("ajv").default;
const schemas = JSON.parse(readFileSync(path));
const ajv = new Ajv({ allErrors: true, strict: false });
for (const schema of Object.values(schemas)) ajv.addSchema(schema);

// What an override may set of a field that has all of it by default.
function properties(kind) {
  const { properties, additionalProperties } = schemas[kind]?.definitions?.FieldConfig ?? {};
  const definitions = Object.fromEntries(
    Object.entries(schemas[kind]?.definitions ?? {}).filter(([name]) => name !== "FieldConfig"),
  );
  return { type: "object", properties: properties ?? {}, additionalProperties: additionalProperties ?? false, definitions };
}

function* against(schema, value, place) {
  const validate = typeof schema === "string" ? ajv.getSchema(schema) : ajv.compile(schema);
  if (!validate) yield `${place}: Grafana has no type ${schema}`;
  else if (!validate(value)) {
    for (const { instancePath, message, params } of validate.errors) {
      yield `${place}${instancePath}: ${message} ${JSON.stringify(params)}`;
    }
  }
}

function* ofPanel(panel) {
  const place = `panel ${panel.id}`;
  const kind = panel.type.replace("-", "");
  yield* against(`${kind}#/definitions/Options`, panel.options, `${place} options`);
  const { defaults, overrides } = panel.fieldConfig;
  yield* against(properties(kind), defaults.custom, `${place} custom`);
  for (const { properties: set } of overrides) {
    const [custom, standard] = [{}, {}];
    for (const { id, value } of set) {
      if (id.startsWith("custom.")) custom[id.slice("custom.".length)] = value;
      else standard[id] = value;
    }
    yield* against(properties(kind), custom, `${place} override custom`);
    yield* against("dashboard#/definitions/FieldConfig", standard, `${place} override`);
  }
}

function* ofBoard(board) {
  yield* against("dashboard#/definitions/Dashboard", board, "board");
  for (const panel of board.panels) yield* ofPanel(panel);
}

const boards = JSON.parse(readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify(Object.fromEntries(Object.entries(boards).map(([name, board]) => [name, [...ofBoard(board)]]))));
