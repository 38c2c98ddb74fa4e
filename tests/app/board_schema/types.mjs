// Makes JSON Schema of Grafana's types: `node types.mjs FOLDER_OF_NODE_MODULES OUTPUT`.
import { createRequire } from "node:module";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

const [folder, output] = process.argv.slice(2);
const { createGenerator } = createRequire(join(folder, "/"))("ts-json-schema-generator");
const raw = join(folder, "node_modules/@grafana/schema/dist/types/raw");
const files = { dashboard: "dashboard/x" };
for (const kind of ["barchart", "bargauge", "stat", "statetimeline", "table", "text", "timeseries"]) {
  files[kind] = `composable/${kind}/panelcfg/x`;
}
const schemas = {};
for (const [name, path] of Object.entries(files)) {
  const config = { path: join(raw, path, "types.gen.d.ts"), type: "*", skipTypeCheck: true };
  schemas[name] = { ...createGenerator(config).createSchema("*"), $id: name };
}
writeFileSync(output, JSON.stringify(schemas));
