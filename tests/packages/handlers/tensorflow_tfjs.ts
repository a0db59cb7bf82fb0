import * as tf from "npm:@tensorflow/tfjs@4.22.0";

export default async (c) => c.json(await tf.matMul(tf.tensor2d([[1, 2], [3, 4]]), tf.tensor2d([[5], [6]])).array());
