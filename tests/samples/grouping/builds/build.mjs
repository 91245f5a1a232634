// Builds the page twice with three bundlers, runs each fault in each build, and writes
// what a browser SDK would send: type, message, minified frames; and the places the
// source maps give. Usage: npm install vite esbuild webpack @jridgewell/trace-mapping
// && node build.mjs [files.json] > builds.json; files.json holds the minified frames
// beside the scripts and maps themselves.
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { build as viteBuild } from 'vite';
import { build as esbuildBuild } from 'esbuild';
import webpack from 'webpack';
import { TraceMap, originalPositionFor, sourceContentFor } from '@jridgewell/trace-mapping';

const root = process.cwd();
const work = path.join(root, 'work');
fs.rmSync(work, { recursive: true, force: true });

function sources(second) {
  const folder = path.join(work, second ? 'b' : 'a', 'src');
  fs.cpSync(path.join(root, 'src'), folder, { recursive: true });
  const main = path.join(folder, 'main.js');
  let text = fs.readFileSync(main, 'utf8');
  text = second
    ? text.replace('/*IMPORTS*/', "import { track, summary } from './analytics.js';")
          .replace('/*SETUP*/', "\n// The page counts what visitors do.\ntrack('load', { at: 1 });\nglobalThis.trackSummary = summary;")
    : text.replace('/*IMPORTS*/', '').replace('/*SETUP*/', '');
  fs.writeFileSync(main, text);
  if (second) {
    for (const name of ['timeline', 'cart', 'eta', 'api']) {
      const file = path.join(folder, `${name}.js`);
      fs.writeFileSync(file, `// Second build.\nimport { track } from './analytics.js';\n\nexport function opened() {\n  return track('${name}', {});\n}\n\n` + fs.readFileSync(file, 'utf8'));
    }
  }
  return folder;
}

const bundlers = {
  async vite(folder, out) {
    await viteBuild({ root: path.dirname(folder), logLevel: 'silent', configFile: false, build: { outDir: out, emptyOutDir: true, sourcemap: true, target: 'es2022', modulePreload: false, rollupOptions: { input: path.join(folder, 'main.js') } } });
  },
  async esbuild(folder, out) {
    await esbuildBuild({ entryPoints: [path.join(folder, 'main.js')], bundle: true, splitting: true, format: 'esm', minify: true, sourcemap: true, outdir: path.join(out, 'assets'), entryNames: '[name]-[hash]', logLevel: 'silent' });
  },
  webpack(folder, out) {
    return new Promise((resolve, reject) => webpack({ mode: 'production', context: path.dirname(folder), entry: path.join(folder, 'main.js'), devtool: 'source-map', experiments: { outputModule: true }, output: { path: path.join(out, 'assets'), module: true, filename: '[name].[contenthash:8].js', chunkFilename: '[name].[contenthash:8].chunk.js', chunkFormat: 'module' } }, (error, stats) => (error || stats.hasErrors() ? reject(error || stats.toString()) : resolve())));
  },
};

const runner = `
const [entry, id] = process.argv.slice(2);
await import(entry);
const told = {};
for (const [name, fault] of Object.entries(globalThis.faults)) {
  try { await fault(Number(id)); } catch (error) {
    const chain = [];
    for (let e = error; e; e = e.cause) chain.unshift({ type: e.name, value: e.message, stack: e.stack });
    told[name] = chain;
  }
}
console.log(JSON.stringify(told));
`;
fs.mkdirSync(work, { recursive: true });
fs.writeFileSync(path.join(work, 'run.mjs'), runner);

const line = /^\s*at (?:(?:async )?(.*?) \()?(?:file:\/\/)?([^()]*?)(?::(\d+):(\d+))?\)?$/;
function frames(stack, out) {
  const found = [];
  for (const text of stack.split('\n')) {
    const match = line.exec(text);
    if (!match) continue;
    const [, name, file, lineno, colno] = match;
    if (file.startsWith('node:') || file.endsWith('run.mjs')) continue;
    const frame = { function: name || '?', in_app: true };
    if (file === '<anonymous>') { frame.filename = '<anonymous>'; } else {
      frame.filename = '@ORIGIN@/' + path.relative(out, file);
      frame.lineno = Number(lineno); frame.colno = Number(colno);
    }
    found.unshift(frame);
  }
  return found;
}
function mapped(list, out) {
  return list.map((frame) => {
    if (frame.filename === '<anonymous>') return frame;
    const map = new TraceMap(fs.readFileSync(path.join(out, frame.filename.replace('@ORIGIN@/', '')) + '.map', 'utf8'));
    const place = originalPositionFor(map, { line: frame.lineno, column: frame.colno - 1 });
    if (!place.source) return frame;
    const text = (sourceContentFor(map, place.source) || '').split('\n')[place.line - 1];
    return { filename: place.source, function: place.name || frame.function, lineno: place.line, colno: place.column + 1, in_app: true, context_line: text };
  });
}

const answer = {}, withFiles = {};
for (const [bundler, make] of Object.entries(bundlers)) {
  answer[bundler] = [];
  withFiles[bundler] = [];
  for (const second of [false, true]) {
    const folder = sources(second);
    const out = path.join(work, second ? 'b' : 'a', bundler);
    await make(folder, out);
    const assets = path.join(out, 'assets');
    const entry = fs.readdirSync(assets).find((name) => /^main[.-].*\.js$/.test(name));
    const told = JSON.parse(execFileSync('node', ['--stack-trace-limit=50', path.join(work, 'run.mjs'), path.join(assets, entry), second ? '4711' : '1001'], { encoding: 'utf8' }));
    const faults = {};
    for (const [name, chain] of Object.entries(told)) {
      faults[name] = chain.map(({ type, value, stack }) => {
        const list = frames(stack, out);
        return { type, value, frames: list, mapped: mapped(list, out) };
      });
    }
    answer[bundler].push(faults);
    const files = Object.fromEntries(fs.readdirSync(assets).filter((name) => /\.js(\.map)?$/.test(name)).map((name) => [`assets/${name}`, fs.readFileSync(path.join(assets, name), 'utf8')]));
    const minified = Object.fromEntries(Object.entries(faults).map(([name, chain]) => [name, chain.map(({ mapped, ...link }) => link)]));
    withFiles[bundler].push({ files, faults: minified });
  }
}
console.log(JSON.stringify(answer, null, 1));
if (process.argv[2]) fs.writeFileSync(process.argv[2], JSON.stringify(withFiles, null, 1));
