import { createClient } from "npm:@supabase/supabase-js@2.119.0";

export default async function (c, ctx) {
  const supabase = createClient(`${await ctx.getSecret("API_URL")}/supabase`, await ctx.getSecret("API_TOKEN"), {
    auth: { persistSession: false },
  });
  const { data, error } = await supabase.from("todos").select("id, title").eq("done", false).limit(2);
  const { data: user } = await supabase.auth.signInWithPassword({ email: "ada@example.com", password: "secret" });
  return c.json({ data, error, user: user.user?.email });
}
