export async function fillRedis(_place: string, _name: string, _messages: number): Promise<void> {}
export async function fillPgBoss(_place: string, _name: string, _messages: number): Promise<void> {}
