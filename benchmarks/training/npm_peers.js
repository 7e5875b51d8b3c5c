// Asks the emotion network of an npm package: node npm_peers.js FOLDER PACKAGE < PIXELS > ANSWERS
//
// FOLDER is where npm installed the packages. PIXELS are the bytes of gray pictures of 48 x 48, ANSWERS are
// seven float32 for each, in the order that NPM_LABELS of peers.py has for the package. Pictures reach the network
// as the package prepares them.
const fs = require("fs");
const path = require("path");

const SIZE = 48;
const BATCH = 16;
const [folder, name] = process.argv.slice(2);
const inPackages = (...parts) => path.join(path.resolve(folder), "node_modules", ...parts);
const tf = require(inPackages("@tensorflow/tfjs"));
const wasm = require(inPackages("@tensorflow/tfjs-backend-wasm"));

function pictures(library, gray) {
  return library.tensor4d(gray, [gray.length / SIZE / SIZE, SIZE, SIZE, 1]);
}

async function faceApi() {
  const faceapi = require(inPackages("@vladmandic/face-api/dist/face-api.node-wasm.js"));
  const network = faceapi.nets.faceExpressionNet;
  await network.loadFromDisk(inPackages("@vladmandic/face-api/model"));
  return async (gray) => {
    const color = faceapi.tf.tile(pictures(faceapi.tf, gray), [1, 1, 1, 3]);
    const answers = [];
    for (const one of faceapi.tf.unstack(color)) {
      const answer = await network.forward(one);
      answers.push(...answer.dataSync());
      faceapi.tf.dispose([one, answer]);
    }
    faceapi.tf.dispose(color);
    return answers;
  };
}

async function human() {
  const models = inPackages("@vladmandic/human/models");
  const description = JSON.parse(fs.readFileSync(path.join(models, "emotion.json")));
  const weights = fs.readFileSync(path.join(models, "emotion.bin"));
  const network = await tf.loadGraphModel({
    load: async () => ({
      modelTopology: description.modelTopology,
      weightSpecs: description.weightsManifest.flatMap((group) => group.weights),
      weightData: weights.buffer.slice(weights.byteOffset, weights.byteOffset + weights.length),
      signature: description.signature,
    }),
  });
  const size = network.inputs[0].shape[2];
  return async (gray) =>
    tf.tidy(() => {
      const resized = tf.image.resizeBilinear(pictures(tf, gray).div(255), [size, size]);
      return network.execute(resized.sub(0.5).mul(2)).dataSync();
    });
}

async function main() {
  wasm.setWasmPaths(inPackages("@tensorflow/tfjs-backend-wasm/dist/"));
  await tf.setBackend("wasm");
  await tf.ready();
  const ask = await { "face-api": faceApi, human }[name]();
  const pixels = fs.readFileSync(0);
  const step = BATCH * SIZE * SIZE;
  for (let first = 0; first < pixels.length; first += step) {
    const answers = await ask(Float32Array.from(pixels.subarray(first, first + step)));
    fs.writeSync(1, Buffer.from(Float32Array.from(answers).buffer));
  }
}

main();
