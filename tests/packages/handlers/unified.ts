import { unified } from "npm:unified@11.0.5";
import remarkParse from "npm:remark-parse@11.0.0";
import remarkRehype from "npm:remark-rehype@11.1.2";
import rehypeStringify from "npm:rehype-stringify@10.0.1";

const processor = unified().use(remarkParse).use(remarkRehype).use(rehypeStringify);

export default async (c) => c.html(String(await processor.process("## Hello, *world*")));
