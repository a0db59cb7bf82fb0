import { transformAsync } from "npm:@babel/core@8.1.2";

export default async (c) =>
  c.text((await transformAsync("const  a  =  1;", { configFile: false, babelrc: false })).code);
