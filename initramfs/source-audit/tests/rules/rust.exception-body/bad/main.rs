use actix_web::HttpResponse;
fn f() {
    match g() {
        Err(e) => HttpResponse::InternalServerError().body(e.to_string()),
        Ok(v) => HttpResponse::Ok().body(v),
    };
}
