// JSON lines in, one query each; JSON lines out: null where the query parses, else why not.
const { parseQuery } = require("@jetstreamapp/soql-parser-js");
const lines = require("node:fs").readFileSync(0, "utf8").split("\n").filter(Boolean);
const verdict = (text) => {
  try {
    parseQuery(text);
    return null;
  } catch (error) {
    return String(error.message || error);
  }
};
process.stdout.write(lines.map((line) => JSON.stringify(verdict(JSON.parse(line)))).join("\n"));
