import { createSSRApp, h, ref } from "npm:vue@3.5.45";
import { renderToString } from "npm:@vue/server-renderer@3.5.45";

const Greeting = {
  props: ["name"],
  setup(props) {
    const count = ref(3);
    return () => h("p", `Hello ${props.name}, ${count.value} messages`);
  },
};

export default async (c) => c.html(await renderToString(createSSRApp(Greeting, { name: "Ada" })));
